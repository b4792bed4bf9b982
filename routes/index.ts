/** The routes by name, in the order of the document: adding a resource adds one line. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { actorRoutes } from './actors.js';
import { calculatorRoutes } from './calculators.js';
import { campaignRoutes } from './campaigns.js';
import { catalogueRoutes } from './catalogue.js';
import { collectorRoutes } from './collectors.js';
import { eventRoutes } from './events.js';
import { explanationRoutes } from './explanations.js';
import { explorationRoutes } from './explorations.js';
import { healthRoutes } from './health.js';
import { hostRoutes } from './hosts.js';
import { leaseRoutes } from './leases.js';
import { monitoringRoutes } from './monitoring.js';
import { observationRoutes } from './observations.js';
import { perfEventRoutes } from './perf-events.js';
import { poolJobRoutes } from './pool-jobs.js';
import { poolRoutes } from './pools.js';
import { problemRoutes } from './problems.js';
import { pullLabsRoutes } from './pull-labs.js';
import { rootRoutes } from './root.js';
import { vcpuRoutes } from './vcpus.js';
import { whoamiRoutes } from './whoami.js';

/** Mounted at the root. */
export const ROOT_ROUTES: readonly FastifyPluginAsyncTypebox[] = [
  rootRoutes,
  healthRoutes,
  problemRoutes,
];

/** Mounted at the root where the API is served, under the paths of another service. */
export const FOREIGN_ROUTES: readonly FastifyPluginAsyncTypebox[] = [pullLabsRoutes];

/** Mounted under /v1. */
export const V1_ROUTES: readonly FastifyPluginAsyncTypebox[] = [
  catalogueRoutes,
  calculatorRoutes,
  collectorRoutes,
  hostRoutes,
  perfEventRoutes,
  vcpuRoutes,
  actorRoutes,
  explorationRoutes,
  campaignRoutes,
  observationRoutes,
  explanationRoutes,
  poolRoutes,
  poolJobRoutes,
  leaseRoutes,
  eventRoutes,
  monitoringRoutes,
  whoamiRoutes,
];
