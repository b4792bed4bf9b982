/** Every named schema, for the validators, the serialiser and the document. */
import * as actor from './actor.js';
import * as callback from './callback.js';
import * as campaign from './campaign.js';
import * as catalogue from './catalogue.js';
import * as collector from './collector.js';
import type { NamedSchema } from './common.js';
import * as common from './common.js';
import * as comparison from './comparison.js';
import * as counterexample from './counterexample.js';
import * as cpuModel from './cpu-model.js';
import * as event from './event.js';
import * as explanation from './explanation.js';
import * as exploration from './exploration.js';
import * as explorationGraph from './exploration-graph.js';
import * as explorationModel from './exploration-model.js';
import * as explorationRequest from './exploration-request.js';
import * as exportFile from './export.js';
import * as health from './health.js';
import * as host from './host.js';
import * as identify from './identify.js';
import * as invariant from './invariant.js';
import * as kernel from './kernel.js';
import * as kernelDifference from './kernel-difference.js';
import * as lease from './lease.js';
import * as metrics from './metrics.js';
import * as monitoring from './monitoring.js';
import * as msr from './msr.js';
import * as observation from './observation.js';
import * as observationLists from './observation-lists.js';
import * as observationRequest from './observation-request.js';
import * as observedRecord from './observed-record.js';
import * as perfEvent from './perf-event.js';
import * as pool from './pool.js';
import * as poolJob from './pool-job.js';
import * as problem from './problem.js';
import * as pullLabs from './pull-labs.js';
import * as report from './report.js';
import * as roundTrip from './round-trip.js';
import * as runComparison from './run-comparison.js';
import * as scenario from './scenario.js';
import * as script from './script.js';
import * as switchList from './switch-list.js';
import * as trace from './trace.js';
import * as transition from './transition.js';
import * as vcpu from './vcpu.js';
import * as whoami from './whoami.js';

const MODULES: readonly object[] = [
  common,
  problem,
  health,
  whoami,
  cpuModel,
  kernel,
  invariant,
  catalogue,
  switchList,
  roundTrip,
  identify,
  collector,
  host,
  perfEvent,
  vcpu,
  transition,
  actor,
  script,
  msr,
  metrics,
  monitoring,
  trace,
  comparison,
  exportFile,
  report,
  runComparison,
  explorationModel,
  explorationRequest,
  kernelDifference,
  exploration,
  explorationGraph,
  counterexample,
  campaign,
  scenario,
  observedRecord,
  observationRequest,
  observationLists,
  observation,
  callback,
  explanation,
  pool,
  poolJob,
  lease,
  pullLabs,
  event,
];

function isNamed(value: unknown): value is NamedSchema {
  return typeof value === 'object' && value !== null && '$id' in value;
}

export const ALL_SCHEMAS: readonly NamedSchema[] = MODULES.flatMap((module) =>
  Object.values(module).filter(isNamed),
);
