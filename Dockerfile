# Two stages: the first compiles, the second contains only what the service needs at run time.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# With install scripts: the database package creates its symbolic links in one.
RUN npm ci --omit=dev
COPY tsconfig.json openapi.yaml ./
COPY src ./src
COPY routes ./routes
COPY schemas ./schemas
# `npm start` compiles and bundles, so what it needs for that is a dependency; after this it is not needed.
RUN npx tsc -p src/tsconfig.json \
 && node dist/src/build/index.js \
 && rm -rf node_modules/typescript node_modules/@types node_modules/.bin/tsc node_modules/.bin/tsserver \
    node_modules/esbuild node_modules/@esbuild node_modules/.bin/esbuild node_modules/preact node_modules/@preact

FROM node:24-bookworm-slim
# An init, to reap the processes that a killed database leaves behind.
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*
# Other machines reach 0.0.0.0, so the service starts only with API_TOKENS, API_TOKENS_FILE or ALLOW_ANONYMOUS=1.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY src/service/collectors ./src/service/collectors
# The directory must exist with its owner before it becomes a volume, or root would own the volume.
RUN install -d -o node -g node -m 0700 /data
VOLUME /data
USER node
EXPOSE 8080
# After a crash the database may take two minutes to recover before the service answers.
HEALTHCHECK --start-period=150s --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.PORT+'/readyz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "dist/src/server.js"]
