/** The tables as the code sees them; src/store/migrations makes them. */
import type { ColumnType, Generated } from 'kysely';

export type WorkState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** What may take minutes has a lane of its own, so that it never keeps what is done in a moment waiting. */
export type Lane = 'small' | 'work';

/** Written as JSON text or as a value, read as a value. */
type Json<Value> = ColumnType<Value, string, string>;
type Lives = ColumnType<string[], string[] | undefined, string[]>;
type Timestamp = ColumnType<Date, Date | string | undefined, Date | string>;

interface HostTable {
  id: string;
  /** The order in which hosts were made. */
  seq: Generated<number>;
  /** How many changes it has seen. */
  version: number;
  /** What never changes. */
  config: Json<unknown>;
  /** What does, packed by the service. */
  image: string;
  /** What a list shows of it; changes with the image. */
  summary: string;
  /** The newest entries of its trace; older ones are in chunks. */
  tail: Generated<string>;
  created_at: Timestamp;
}

interface HostTraceTable {
  host_id: string;
  /** Place of the newest entry among all that happened on the host. */
  last_index: number;
  entries: string;
}

interface IdempotencyTable {
  principal: string;
  key: string;
  fingerprint: string;
  answer: string;
  created_at: Timestamp;
  /** The order in which they were given. */
  seq: Generated<number>;
}

interface EventTable {
  /** The transaction that wrote it: together with `seq` the order in which readers see events. */
  xid: Generated<string>;
  seq: Generated<number>;
  type: string;
  subject: string;
  data: Json<unknown>;
  created_at: Timestamp;
}

/** Where the events that are kept begin: one row. */
interface EventHorizonTable {
  xid: string;
  seq: number;
}

/** An exploration or a campaign. */
interface WorkTable {
  id: string;
  seq: Generated<number>;
  state: WorkState;
  request: Json<unknown>;
  /** What clients read, as far as it has come. */
  resource: Json<object>;
  cancel_requested: ColumnType<boolean, boolean | undefined, boolean>;
  /** How often a worker has taken it up. */
  attempts: ColumnType<number, number | undefined, number>;
  /** The name of the token that asked for it; empty where the service has none. */
  owner: ColumnType<string, string | undefined, never>;
  /** Where its job waits: among those that may be done in a moment, or the others. */
  lane: ColumnType<Lane, Lane | undefined, Lane>;
  /** The runs of the service that have taken it up and have not given it back. */
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
  /** What the walks found; null until they are done. */
  result: ColumnType<unknown, string | null | undefined, string | null>;
  /** Whether one of them violated an invariant. */
  violated: ColumnType<boolean, boolean | undefined, boolean>;
  done_at: ColumnType<Date | null, Date | undefined, Date | string | null>;
  lives: Lives;
}

export interface Tables {
  hosts: HostTable;
  host_traces: HostTraceTable;
  idempotency_keys: IdempotencyTable;
  events: EventTable;
  event_horizon: EventHorizonTable;
  explorations: WorkTable;
  campaigns: WorkTable;
  campaign_violations: CampaignViolationsTable;
  campaign_chunks: CampaignChunkTable;
}
