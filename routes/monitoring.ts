/** For dashboards: the numbers of the service, their history, and what there is to scrape. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  GrafanaDashboardSchema,
  StatsSchema,
  TargetsQuerySchema,
  TargetsSchema,
  TimeseriesQuerySchema,
  TimeseriesSchema,
} from '../schemas/monitoring.js';
import { problems, readProblems } from '../schemas/problem.js';
import { grafanaDashboard } from '../src/service/metrics/grafana.js';
import { targetsOf } from '../src/service/metrics/targets.js';

export const monitoringRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { hosts, statistics } = app.services;

  app.get(
    '/stats',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getStats',
        summary: 'The numbers of the service',
        description:
          'One flat object, for status pages and for tools that read no Prometheus: what is in the database, and what this instance has counted since it started.',
        response: { 200: StatsSchema, ...readProblems('validation') },
      },
    },
    async () => statistics.now(),
  );

  app.get(
    '/timeseries',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getTimeseries',
        summary: 'The history of a number',
        description:
          "A field of /v1/stats over time as flat rows, for Grafana's Infinity for example. Each instance keeps its own history in memory: a sample every 10 seconds, for a day, since it started.",
        querystring: TimeseriesQuerySchema,
        response: { 200: TimeseriesSchema, ...problems('validation', 'rule_violated') },
      },
    },
    async ({ query }) => statistics.timeseries(query),
  );

  app.get(
    '/sd/prometheus',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getPrometheusTargets',
        summary: 'What Prometheus can scrape',
        description:
          'For `http_sd_configs`: this service, under the address by which it was asked, and with `hosts=N` the newest N simulated hosts, each with its own metrics.',
        querystring: TargetsQuerySchema,
        response: { 200: TargetsSchema, ...readProblems('validation') },
      },
    },
    async ({ query, host, protocol }) => {
      const { hosts: count = 0 } = query;
      const listed = count === 0 ? [] : await hosts.newest(count);
      return targetsOf({ authority: host, protocol }, app.config.role, listed);
    },
  );

  app.get(
    '/dashboards/grafana',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getGrafanaDashboard',
        summary: 'A dashboard for Grafana',
        description:
          'Classic dashboard JSON (schema version 41) with a variable for the Prometheus data source: import it, or save it where Grafana provisions dashboards from.',
        response: { 200: GrafanaDashboardSchema, ...problems('validation') },
      },
    },
    async () => grafanaDashboard(),
  );
};
