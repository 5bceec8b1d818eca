# One file, two images: docker build --target api -t millrace-api . ; docker build --target worker -t millrace-worker .
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY tools/bootstrap tools/bootstrap
COPY libs libs
COPY apps apps
RUN npm run build
# Run-time packages only; the image brings its own Node.
RUN npm prune --omit=dev && rm -rf node_modules/node-linux-* node_modules/.bin/node

FROM ${NODE_IMAGE} AS base
ENV NODE_ENV=production
WORKDIR /millrace
COPY LICENSE NOTICE package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
USER 1000:1000

FROM base AS api
ENV MILLRACE_HTTP_HOST=0.0.0.0 MILLRACE_MANAGEMENT_HOST=0.0.0.0 MILLRACE_RELAY_HOST=0.0.0.0 MILLRACE_RELAY_PORT=9000
EXPOSE 8000 8001 9000
CMD ["node", "--enable-source-maps", "dist/apps/api/src/main.js"]

FROM base AS worker
ENV MILLRACE_MANAGEMENT_HOST=0.0.0.0 MILLRACE_WORKER_PORT=8002
COPY models models
EXPOSE 8002
CMD ["node", "--enable-source-maps", "dist/apps/worker/src/main.js"]
