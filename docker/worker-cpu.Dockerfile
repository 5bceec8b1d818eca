# A worker that computes on the CPU, with the shipped model.
#   docker build -f docker/worker-cpu.Dockerfile -t millrace-worker-cpu .
# Behind a registry mirror or a proxy with its own authority, give npm's settings and the certificates to the build alone:
#   --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt
# Pin it by digest in a build that is released: --build-arg NODE_IMAGE=node@sha256:…
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
ENV NODE_EXTRA_CA_CERTS=/run/secrets/ca
WORKDIR /millrace
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
    npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY tools/bootstrap tools/bootstrap
COPY libs libs
COPY apps apps
RUN npm run build

# What runs: no tools of development, no Node beside the image's own, no libraries of other platforms.
FROM ${NODE_IMAGE} AS packages
ENV NODE_EXTRA_CA_CERTS=/run/secrets/ca
WORKDIR /millrace
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
    npm ci --omit=dev --no-audit --no-fund \
    && npm sbom --omit=dev --package-lock-only --sbom-format=cyclonedx > sbom.cdx.json \
    && rm -rf node_modules/node-linux-* node_modules/node-bin-* node_modules/.bin \
       node_modules/onnxruntime-node/bin/napi-v6/darwin node_modules/onnxruntime-node/bin/napi-v6/win32

FROM ${NODE_IMAGE} AS worker-cpu
ENV NODE_ENV=production
WORKDIR /millrace
COPY LICENSE NOTICE package.json docker/healthcheck.mjs ./
COPY --from=packages /millrace/sbom.cdx.json ./
COPY --from=packages /millrace/node_modules node_modules
COPY models models
COPY --from=build /millrace/dist dist
ENV MILLRACE_MANAGEMENT_HOST=0.0.0.0 MILLRACE_WORKER_PORT=8002
USER 1000:1000
EXPOSE 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s CMD ["node", "healthcheck.mjs", "8002", "/healthz"]
CMD ["node", "--enable-source-maps", "dist/apps/worker/src/main.js"]
