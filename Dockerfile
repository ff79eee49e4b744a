# The first stage has a compiler; the second runs without it, and without a package manager.
# The digest is that of the index of all platforms. To take a newer image, change tag and digest together, here or by
# --build-arg NODE_IMAGE=….
ARG NODE_IMAGE=node:22.23.3-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c
FROM ${NODE_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3
# SQLite's driver is compiled here, from the package that the lock file covers, instead of downloading a binary.
ENV npm_config_build_from_source=true npm_config_nodedir=/usr/local
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json vite.config.ts ./
COPY scripts ./scripts
COPY src ./src
COPY web ./web
# The driver's sources, and the packages that would download it, are of no use to the service.
RUN npm run build && npm prune --omit=dev --no-audit --no-fund && cd node_modules && \
  rm -rf prebuild-install node-abi rc simple-get tar-fs tunnel-agent && \
  cd better-sqlite3 && rm -rf deps src build/deps build/Release/obj build/Release/obj.target build/Release/*.a

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATABASE_URL=file:/data/serial-gate.db
WORKDIR /app
RUN rm -rf /usr/local/lib/node_modules /opt/yarn* /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
  /usr/local/bin/yarn /usr/local/bin/yarnpkg && install -d -o node -g node -m 700 /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY migrations ./migrations
COPY llms.txt ./
USER node
VOLUME /data
EXPOSE 8080
# With a certificate of its own the service speaks HTTPS; it asks itself, so whose name is in it does not matter.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "const tls = Boolean(process.env.SERIAL_GATE_TLS_CERT); require(tls ? 'node:https' : 'node:http').get({ host: '127.0.0.1', port: process.env.PORT, path: '/readyz', rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# Reachable from outside, so it requires SERIAL_GATE_TOKENS. It writes to /data only.
CMD ["node", "dist/main.js", "serve"]
