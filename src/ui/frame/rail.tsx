/** The way between screens. */
import type { Screen } from '../screen.js';
import { SCREENS } from '../screens.js';

export function Rail({ current }: { readonly current: Screen | undefined }) {
  return (
    <nav class="rail" aria-label="Screens">
      <ul>
        {SCREENS.map((screen) =>
          screen.rail === undefined ? null : (
            <li key={screen.name}>
              <a
                href={screen.rail.address()}
                aria-current={screen === current ? 'page' : undefined}
              >
                <Icon path={screen.rail.icon} />
                {screen.name}
              </a>
            </li>
          ),
        )}
      </ul>
    </nav>
  );
}

function Icon({ path }: { readonly path: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={path} fill="none" stroke="currentColor" stroke-width="1.7" stroke-linejoin="round" />
    </svg>
  );
}
