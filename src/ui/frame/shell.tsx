/** The frame around every screen: rail, bar, banners, and the screen that the address names. */
import { computed } from '@preact/signals';
import { useEffect, useErrorBoundary } from 'preact/hooks';
import { asProblem } from '../api/problem.js';
import { question } from '../api/token.js';
import { match, path } from '../router.js';
import { SCREENS } from '../screens.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Banners } from './banners.js';
import { Bar } from './bar.js';
import { useHeader } from './header-content.js';
import { pressed } from './keys.js';
import { Rail } from './rail.js';
import { TokenDialog } from './token-dialog.js';

const shown = computed(() => {
  for (const screen of SCREENS) {
    for (const pattern of screen.patterns) {
      const parts = match(pattern, path.value);
      if (parts !== undefined) return { screen, parts };
    }
  }
  return undefined;
});

export function Shell() {
  const current = shown.value;
  useEffect(() => {
    const dismiss = (event: KeyboardEvent): void => {
      if (document.querySelector('dialog[open]') === null) pressed(event);
    };
    document.addEventListener('keydown', dismiss);
    return () => document.removeEventListener('keydown', dismiss);
  }, []);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the screen
      </a>
      <Rail current={current?.screen} />
      <Bar />
      <main class="main" id="main" tabIndex={-1}>
        <Banners />
        {current === undefined ? (
          <Nowhere />
        ) : (
          <Guarded key={current.screen.name}>
            <current.screen.View parts={current.parts} />
          </Guarded>
        )}
      </main>
      {question.value !== undefined && <TokenDialog question={question.value} />}
    </div>
  );
}

/** A fault of one screen leaves the others usable. */
function Guarded({ children }: { readonly children: preact.ComponentChildren }) {
  const [error, reset] = useErrorBoundary();
  if (error === undefined) return <>{children}</>;
  return (
    <div class="screen">
      <ProblemPanel problem={asProblem(error)} retry={reset} />
    </div>
  );
}

function Nowhere() {
  useHeader({ title: 'No such place' });
  return (
    <div class="screen">
      <h1>There is nothing at this address</h1>
      <p>
        It may be a link of another version of pebslab. <a href="/ui/">Go to the matrix</a>.
      </p>
    </div>
  );
}
