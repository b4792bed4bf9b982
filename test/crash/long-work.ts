/** An exploration and a campaign that are carried out while the service is being killed, and what must come of them. */
import type { Campaign, CampaignRequest, CampaignResults } from '../../schemas/campaign.js';
import type { Exploration } from '../../schemas/exploration.js';
import { DEATHS_MAX } from '../../src/store/work-store.js';
import { type Answer, json } from './http-client.js';
import type { InsistentClient } from './insist.js';
import type { Report } from './report.js';

export interface WorkSize {
  /** How deep the exploration searches: it decides how long. */
  readonly depth: number;
  readonly cpuModels: readonly string[];
  readonly kernels: readonly string[];
  readonly walks: number;
}

const GIVEN_UP = /without giving it back/;

const CPU_MODELS = ['emerald-rapids', 'ice-lake-sp', 'skylake-sp', 'haswell-x'];

export const SMALL_WORK: WorkSize = {
  depth: 34,
  cpuModels: CPU_MODELS.slice(0, 2),
  kernels: ['upstream-base', 'linux-6.12.117', 'pebs-v1'],
  walks: 40,
};

export const LARGE_WORK: WorkSize = {
  depth: 80,
  cpuModels: CPU_MODELS,
  kernels: [
    'upstream-base',
    'linux-6.1.192',
    'linux-6.12.117',
    'pebs-v1',
    'pebs-v2-1of4',
    'pebs-v2-4of4',
    'zero-global-ctrl-e1',
    'post-exit-fixup',
  ],
  walks: 700,
};

/**
 * What the work found, without what differs from one run to the next. Null is what the service gave up, as it may after
 * three deaths.
 */
export interface Findings {
  readonly exploration: object | null;
  readonly campaign: { readonly results: string; readonly table: string } | null;
}

export class LongWork {
  private constructor(
    private readonly exploration: string,
    readonly campaign: string,
  ) {}

  static async start(client: InsistentClient, size: WorkSize): Promise<LongWork> {
    const exploration = await client.change('/v1/explorations', explorationOf(size));
    const campaign = await client.change('/v1/campaigns', campaignOf(size));
    return new LongWork(idOf(exploration), idOf(campaign));
  }

  async isOver(client: InsistentClient): Promise<boolean> {
    const exploration = await this.readExploration(client);
    const campaign = await this.readCampaign(client);
    return exploration.finished_at !== undefined && campaign.finished_at !== undefined;
  }

  /** How far it is, in a few words. */
  async progress(client: InsistentClient): Promise<string> {
    const exploration = await this.readExploration(client);
    const { progress } = await this.readCampaign(client);
    return `exploration ${exploration.state} (attempt ${exploration.attempts}), campaign ${progress.done} of ${progress.total} walks`;
  }

  /** Waits for the end of both. */
  async findings(client: InsistentClient, report: Report): Promise<Findings> {
    return {
      exploration: await this.explored(client, report),
      campaign: await this.walked(client, report),
    };
  }

  private async explored(
    client: InsistentClient,
    report: Report,
  ): Promise<Findings['exploration']> {
    const exploration = await untilEnded(() => this.readExploration(client, 'wait=30'));
    if (isGivenUp(exploration, report)) return null;
    report.same('the state of the exploration', exploration.state, 'succeeded');
    const { verdict, cut, complete, distinct_states, total_states, depth, properties } =
      exploration;
    return { verdict, cut, complete, distinct_states, total_states, depth, properties };
  }

  private async walked(client: InsistentClient, report: Report): Promise<Findings['campaign']> {
    const campaign = await untilEnded(() => this.readCampaign(client, 'wait=30'));
    if (isGivenUp(campaign, report)) return null;
    report.same('the state of the campaign', campaign.state, 'succeeded');
    const path = `/v1/campaigns/${this.campaign}/results`;
    const results = json<CampaignResults>(await client.get(path));
    const table = await client.get(path, { accept: 'text/csv' });
    return {
      results: JSON.stringify({ ...results, id: '' }),
      table: table.text.replaceAll(this.campaign, ''),
    };
  }

  private async readExploration(client: InsistentClient, prefer?: string): Promise<Exploration> {
    return json(await client.get(`/v1/explorations/${this.exploration}`, preferring(prefer)));
  }

  private async readCampaign(client: InsistentClient, prefer?: string): Promise<Campaign> {
    return json(await client.get(`/v1/campaigns/${this.campaign}`, preferring(prefer)));
  }
}

function isGivenUp({ error = '' }: { readonly error?: string }, report: Report): boolean {
  return report.kills >= DEATHS_MAX && GIVEN_UP.test(error);
}

/** Both must have found the same. */
export function compareFindings(found: Findings, wanted: Findings, report: Report): void {
  if (found.exploration !== null) {
    report.same('what the exploration found', found.exploration, wanted.exploration);
  }
  if (found.campaign !== null && wanted.campaign !== null) {
    const { results, table } = found.campaign;
    compareText('the results of the campaign', results, wanted.campaign.results, report);
    compareText('the table of the campaign', table, wanted.campaign.table, report);
  }
}

/** Long texts differ somewhere: there is where to look. */
function compareText(what: string, found: string, wanted: string, report: Report): void {
  if (found === wanted) return;
  let at = 0;
  while (found[at] === wanted[at]) at += 1;
  const near = (text: string): string => text.slice(Math.max(0, at - 80), at + 80);
  report.same(`${what}, at character ${at}`, near(found), near(wanted));
}

const ENDS_MILLIS_MAX = 180_000;

async function untilEnded<Item extends { readonly finished_at?: string }>(
  read: () => Promise<Item>,
): Promise<Item> {
  const deadline = performance.now() + ENDS_MILLIS_MAX;
  for (;;) {
    const item = await read();
    if (item.finished_at !== undefined) return item;
    if (performance.now() > deadline) {
      throw new Error(`it does not end: ${JSON.stringify(item).slice(0, 600)}`);
    }
  }
}

function explorationOf({ depth }: Pick<WorkSize, 'depth'>): object {
  const kinds = ['nmi_throttle', 'event_enable', 'event_disable'];
  return {
    model: {
      cpu_model: 'emerald-rapids',
      kernel: 'upstream-base',
      events: ['PMC0', 'PMC1', 'PMC2'].map((counter) => ({
        counter,
        precise_ip: 2,
        exclude_guest: true,
      })),
      vcpus: [{}, {}],
      actors: kinds.map((kind) => ({ kind })),
      nmi_timing: 'late',
    },
    fold: false,
    bounds: { depth },
  };
}

function campaignOf({ cpuModels, kernels, walks }: WorkSize): Partial<CampaignRequest> {
  return {
    matrix: {
      kernels: [...kernels],
      cpu_models: [...cpuModels],
      scenarios: ['matrix-upstream-base-k3-late', 'matrix-upstream-base-k3-prompt'],
    },
    walks,
    steps_per_walk: 200,
    seed: 42,
  };
}

function preferring(prefer: string | undefined): Record<string, string> {
  return prefer === undefined ? {} : { prefer };
}

function idOf(answer: Answer): string {
  return json<{ id: string }>(answer).id;
}
