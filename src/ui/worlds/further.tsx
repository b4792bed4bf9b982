/** A search that a bound has cut can be made again with twice of it. */
import { curl } from '../frame/header-content.js';
import { go } from '../router.js';
import { Acts } from '../widgets/acts.js';
import { CopyButton } from '../widgets/copy.js';
import { doubled, type Further } from './doubled.js';
import { worldPlace } from './exploration.js';
import { type Exploration, searchFurther } from './searches.js';

const CUTS: Readonly<Record<string, string>> = {
  statesMax: 'the bound on states',
  depthMax: 'the bound on steps',
  millisMax: 'the bound on time',
  bytesMax: 'the bound on memory',
  memory: 'the memory of the service',
  firstViolation: 'the first violation',
  walks: 'the number of walks',
};

/** What ended a search, in words. */
export function whyCut(cut: string): string {
  return CUTS[cut] ?? cut;
}

interface Props {
  readonly body: Further;
  /** What is searched, for those who do not see what stands around. */
  readonly of: string;
  readonly started?: (exploration: Exploration) => void;
}

export function FurtherButton({ body, of, started }: Props) {
  const act = async (): Promise<void> => {
    const exploration = await searchFurther(body);
    started?.(exploration);
  };
  return <Acts acts={[{ label: 'Search further', act }]} of={of} />;
}

/** Stands where the world is shown of which only a part is known. */
export function CutShort({ exploration }: { readonly exploration: Exploration }) {
  const { id, cut } = exploration;
  const body = doubled(exploration);
  if (body === undefined || cut === null) return null;
  return (
    <div class="row cut" role="note">
      <span>Cut by {whyCut(cut)}: a part of the world is not known.</span>
      <FurtherButton
        body={body}
        of={id}
        started={({ id }) => go(worldPlace({ exploration: id }, 'walk'))}
      />
      <CopyButton text={furtherCurl(body)} label="Copy as curl" />
    </div>
  );
}

export function furtherCurl(body: Further): string {
  return curl('/v1/explorations', body);
}
