/** The types of the tables; src/store/migrations creates them. */
import type { ColumnType, Generated } from 'kysely';
import type { AttemptState, RunResult, RunState } from './vocabulary.js';

export type WorkState = 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled';

/** Work that may take minutes has its own lane, so that it never delays work that takes a moment. */
export type Lane = 'small' | 'work';

/** Written as JSON text or as a value, read as a value. */
type Json<Value> = ColumnType<Value, string, string>;
type Lives = ColumnType<string[], string[] | undefined, string[]>;
type Timestamp = ColumnType<Date, Date | string | undefined, Date | string>;

interface HostTable {
  id: string;
  /** In order of creation. */
  seq: Generated<number>;
  /** Incremented by every change. */
  version: number;
  /** The constant part. */
  config: Json<unknown>;
  /** The changing part, packed by the service. */
  image: string;
  /** The fields that a list shows; changes with the image. */
  summary: string;
  /** The newest entries of its trace; older ones are in chunks. */
  tail: Generated<string>;
  created_at: Timestamp;
}

interface HostTraceTable {
  host_id: string;
  /** Index of the newest entry in the whole trace of the host. */
  last_index: number;
  entries: string;
}

interface HostActionsTable {
  host_id: string;
  /** Number of the last of them among all actions of the host. */
  last_index: number;
  /** JSON objects, separated by commas. */
  actions: string;
}

interface IdempotencyTable {
  principal: string;
  key: string;
  fingerprint: string;
  answer: string;
  created_at: Timestamp;
  /** In order of creation. */
  seq: Generated<number>;
}

interface EventTable {
  /** The transaction that wrote it; with `seq`, the order in which readers see events. */
  xid: Generated<string>;
  seq: Generated<number>;
  type: string;
  subject: string;
  data: Json<unknown>;
  created_at: Timestamp;
}

/** The oldest place in the stored events: one row. */
interface EventHorizonTable {
  xid: string;
  seq: number;
}

/** An exploration, a campaign or an explanation. */
interface WorkTable {
  id: string;
  seq: Generated<number>;
  state: WorkState;
  request: Json<unknown>;
  /** What clients read, updated as the work progresses. */
  resource: Json<object>;
  cancel_requested: ColumnType<boolean, boolean | undefined, boolean>;
  /** Only running work has it. */
  pause_requested: ColumnType<boolean, boolean | undefined, boolean>;
  /** How often a worker has claimed it. */
  attempts: ColumnType<number, number | undefined, number>;
  /** The name of the token that requested it; empty if the service has no tokens. */
  owner: ColumnType<string, string | undefined, never>;
  /** The queue of its job: for work that takes a moment, or for the rest. */
  lane: ColumnType<Lane, Lane | undefined, Lane>;
  /** The runs of the service that have claimed it and not given it back. */
  lives: Lives;
  created_at: Timestamp;
  finished_at: ColumnType<Date | null, Date | string | undefined, Date | string | null>;
}

/** The first violating walks, shrunk; made when the campaign ends. */
interface CampaignViolationsTable {
  campaign_id: string;
  violations: Json<unknown>;
}

interface CampaignChunkTable {
  campaign_id: string;
  n: number;
  cell: number;
  first_walk: number;
  walks: number;
  /** The results of the walks; null until they are done. */
  result: ColumnType<unknown, string | null | undefined, string | null>;
  /** Whether one of them violated an invariant. */
  violated: ColumnType<boolean, boolean | undefined, boolean>;
  done_at: ColumnType<Date | null, Date | undefined, Date | string | null>;
  lives: Lives;
}

/** `arriving`: its request has not been answered, so nobody has heard of it. */
export type ObservationState = 'arriving' | 'reading' | 'done' | 'failed';

interface ObservationTable {
  id: string;
  /** In order of arrival. */
  seq: Generated<number>;
  state: ObservationState;
  /** When whoever reads it was last known to live. */
  seen_at: Timestamp;
  /** What the request says of it. */
  about: Json<unknown>;
  /** What was read in it; null until it is done. */
  answer: ColumnType<object | null, string | undefined, string>;
  /** Why it failed. */
  error: ColumnType<string | null, string | undefined, string>;
  text_bytes: ColumnType<number, number | undefined, number>;
  stored_bytes: ColumnType<number, number | undefined, number>;
  /** The CRC-32 of the whole text. */
  crc: ColumnType<number, number | undefined, number>;
  created_at: Timestamp;
  finished_at: ColumnType<Date | null, Date | string | undefined, Date | string | null>;
}

/** About a mebibyte of a text, compressed: whole lines, except where a line is too long to be one. */
interface ObservationPieceTable {
  observation_id: string;
  n: number;
  /** The number of the line that it begins with, from 1. */
  first_line: number;
  /** How many records the pieces before it gave, and how many this one. */
  first_record: number;
  records: number;
  record_check: number;
  text: Uint8Array;
}

interface PoolTable {
  name: string;
  /** In order of creation. */
  seq: Generated<number>;
  title: string | null;
  lease_seconds: number;
  /** Its machines finish what they hold, and are lent for nothing else. */
  draining: boolean;
  created_at: Timestamp;
}

interface PoolMachineTable {
  pool: string;
  name: string;
  seq: Generated<number>;
  /** What was said of it, by name. */
  facts: Json<Record<string, string>>;
  /** What follows from them; null where nothing was said. */
  identity: ColumnType<object | null, string | undefined, string>;
  labels: ColumnType<string[], string[] | undefined, string[]>;
  created_at: Timestamp;
  /** When it last asked for something. */
  seen_at: ColumnType<Date | null, Date | undefined, Date>;
}

interface PoolJobTable {
  id: string;
  seq: Generated<number>;
  pool: string;
  requires: Json<unknown>;
  run: Json<unknown>;
  copies: number;
  timeout_seconds: number;
  priority: number;
  /** How many of its runs have not ended. */
  unfinished: number;
  is_cancelled: ColumnType<boolean, boolean | undefined, boolean>;
  created_at: Timestamp;
  finished_at: ColumnType<Date | null, Date | undefined, Date | null>;
}

/** One of the copies of a job, and its lease. */
interface PoolRunTable {
  id: string;
  seq: Generated<number>;
  pool: string;
  job_id: string;
  /** Which of the copies, from 1. */
  n: number;
  priority: number;
  state: ColumnType<RunState, RunState | undefined, RunState>;
  /** The fencing token of its newest lease: they count from 1. */
  fence: ColumnType<number, number | undefined, number>;
  /** Of its newest lease, as are the three times. */
  machine: string | null;
  acquired_at: ColumnType<Date | null, Date | undefined, Date>;
  renewed_at: ColumnType<Date | null, Date | undefined, Date>;
  expires_at: ColumnType<Date | null, Date | undefined, Date>;
  result: RunResult | null;
  error_code: string | null;
  /** The worst of what its observations showed. */
  observed: RunResult | null;
  /** Since when it waits, or did. */
  queued_at: ColumnType<Date, Date | undefined, Date>;
  finished_at: ColumnType<Date | null, Date | undefined, Date>;
}

interface PoolAttemptTable {
  run_id: string;
  fence: number;
  machine: string;
  state: AttemptState;
  /** What its machine reported, even if too late. */
  result: RunResult | null;
  error_code: string | null;
  acquired_at: Timestamp;
  ended_at: ColumnType<Date | null, Date | undefined, Date>;
  reported_at: ColumnType<Date | null, Date | undefined, Date>;
}

export interface Tables {
  hosts: HostTable;
  host_traces: HostTraceTable;
  host_actions: HostActionsTable;
  idempotency_keys: IdempotencyTable;
  events: EventTable;
  event_horizon: EventHorizonTable;
  explorations: WorkTable;
  campaigns: WorkTable;
  explanations: WorkTable;
  campaign_violations: CampaignViolationsTable;
  campaign_chunks: CampaignChunkTable;
  observations: ObservationTable;
  observation_pieces: ObservationPieceTable;
  pools: PoolTable;
  pool_machines: PoolMachineTable;
  pool_jobs: PoolJobTable;
  pool_runs: PoolRunTable;
  pool_attempts: PoolAttemptTable;
}
