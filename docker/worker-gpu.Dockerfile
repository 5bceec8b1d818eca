# A worker that computes on an NVIDIA GPU. Without a model: mount one, and name it with MILLRACE_MODEL.
#   docker build -f docker/worker-gpu.Dockerfile -t millrace-worker-gpu .
# Behind a registry mirror or a proxy with its own authority, give npm's settings and the certificates to the build alone:
#   --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt
# Pin both by digest in a build that is released: --build-arg NODE_IMAGE=node@sha256:…
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
ARG CUDA_IMAGE=nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04

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
# ONNX Runtime's CUDA provider is not in its npm package: its own install script downloads it.
RUN --mount=type=secret,id=ca node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12

FROM ${NODE_IMAGE} AS node

FROM ${CUDA_IMAGE} AS worker-gpu
COPY --from=node /usr/local/bin/node /usr/local/bin/node
ENV NODE_ENV=production
WORKDIR /millrace
COPY LICENSE NOTICE package.json docker/healthcheck.mjs ./
COPY --from=packages /millrace/sbom.cdx.json ./
COPY --from=packages /millrace/node_modules node_modules
COPY --from=build /millrace/dist dist
ENV MILLRACE_MANAGEMENT_HOST=0.0.0.0 MILLRACE_WORKER_PORT=8002 NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000:1000
EXPOSE 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=600s CMD ["node", "healthcheck.mjs", "8002", "/healthz"]
CMD ["node", "--enable-source-maps", "dist/apps/worker/src/main.js"]
