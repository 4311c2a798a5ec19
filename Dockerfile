# One image for all of Daybell's processes:
#
#   docker build --tag daybell:local .
#   docker run daybell:local src/api/main.ts          (also src/worker/main.ts, src/delivery/main.ts,
#                                                      src/planning/main.ts, src/cli/migrate.ts)
#
# glibc, because Temporal's native part is built for it. The Node is the one of package-lock.json;
# a test keeps it so, runs these steps natively, and starts every process from what they leave.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# With the compiler, which bundling needs and the processes do not.
RUN npm ci --omit=dev --ignore-scripts
COPY src ./src
COPY migrations ./migrations
RUN node src/cli/bundle.ts dist/workflow-bundle.json

FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional is what `npm start` needs besides: a Node, a PostgreSQL, Temporal's test servers.
RUN npm ci --omit=dev --omit=optional --ignore-scripts
# 56 MB that no process loads: ECharts' bundles for browsers, and its types.
RUN rm -r node_modules/echarts/dist node_modules/echarts/types

FROM node:24.21.0-bookworm-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/src ./src
COPY --from=build /app/migrations ./migrations
COPY --from=build /app/dist ./dist
ENV NODE_ENV=production
ENV WORKFLOW_BUNDLE=/app/dist/workflow-bundle.json
# The image's own user, by number, so that whoever runs it can see that it is not root.
USER 1000:1000
# No shell and no npm in between: signals reach the process.
ENTRYPOINT ["node"]
CMD ["src/api/main.ts"]
