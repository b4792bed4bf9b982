/** Home: which kernel leaves a bit stuck on which CPU, as searched here and as expected. */
import { useEffect } from 'preact/hooks';
import { get } from '../api/client.js';
import { curl, useHeader } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { addressOfPlace, go, path } from '../router.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Tabs } from '../widgets/tabs.js';
import { Waiting } from '../widgets/waiting.js';
import { furtherCurl } from '../worlds/further.js';
import { areLoaded, followSearches, loadSearches, searches } from '../worlds/searches.js';
import { Costs } from './costs.js';
import { Hazards } from './hazards.js';
import { MainRace } from './main-race.js';
import { OwnWorlds } from './own-worlds.js';
import './matrix.css';

const TABS = [
  { id: 'race', label: 'Main race' },
  { id: 'hazards', label: 'Hazards and reports' },
  { id: 'costs', label: 'Costs' },
  { id: 'mine', label: 'My worlds' },
] as const;

type Tab = (typeof TABS)[number]['id'];

export function Matrix() {
  const tab: Tab = TABS.find(({ id }) => `/${id}` === path.value)?.id ?? 'race';
  const { value, problem, reload } = useLoaded('matrix', async (signal) => {
    const [{ items }] = await Promise.all([
      get('/v1/scenarios', { query: { limit: 1000 }, signal }),
      loadSearches(),
    ]);
    return items;
  });
  useEffect(followSearches, []);
  useHeader({
    title: 'Every kernel, every class of CPU',
    curl: [
      curl('/v1/scenarios/matrix?limit=1000'),
      curl('/v1/explorations', { scenario: 'matrix-linux-7.2.6-k3-late' }, 'prefer: wait=20'),
      ...[...searches.value.values()].flatMap(({ further }) =>
        further === undefined ? [] : [furtherCurl(further)],
      ),
    ],
  });
  const isThere = value !== undefined && areLoaded.value;
  return (
    <div class="screen">
      <h1>Which kernel leaves a bit of IA32_PEBS_ENABLE stuck?</h1>
      <Tabs
        label="What is compared"
        tabs={TABS}
        chosen={tab}
        choose={(id) => go(addressOfPlace(id === 'race' ? '/' : `/${id}`))}
      />
      {problem !== undefined && <ProblemPanel problem={problem} retry={reload} />}
      {tab === 'costs' && <Costs />}
      {tab === 'mine' && <OwnWorlds />}
      {!isThere && problem === undefined && (tab === 'race' || tab === 'hazards') && (
        <Waiting what="The scenarios are loading" lines={10} />
      )}
      {isThere && tab === 'race' && <MainRace scenarios={value} />}
      {isThere && tab === 'hazards' && <Hazards scenarios={value} />}
    </div>
  );
}
