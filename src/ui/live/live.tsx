/** What the service works on: searches and campaigns with their progress, what happens, and a form to start more. */
import { curl, useHeader } from '../frame/header-content.js';
import { setQuery } from '../router.js';
import { rememberWorld } from '../worlds/mine.js';
import { Campaigns } from './campaigns.js';
import { EventLog } from './event-log.js';
import { Explorations } from './explorations.js';
import { NewRun } from './new-run.js';
import { type Campaign, type Exploration, useCampaigns, useExplorations } from './work.js';
import './live.css';

export function Live() {
  const explorations = useExplorations();
  const campaigns = useCampaigns();
  useHeader({
    title: 'Live',
    curl: [
      curl('/v1/explorations'),
      curl('/v1/campaigns'),
      curl('/v1/events', undefined, 'accept: text/event-stream'),
    ],
  });
  return (
    <div class="screen">
      <h1>What the service works on</h1>
      <Explorations list={explorations} />
      <Campaigns list={campaigns} />
      <NewRun
        started={(kind, item) => {
          if (kind === 'explorations') {
            explorations.put(item as Exploration);
            void rememberWorld(item as Exploration);
          } else {
            campaigns.put(item as Campaign);
            setQuery({ campaign: item.id });
          }
        }}
      />
      <EventLog />
    </div>
  );
}
