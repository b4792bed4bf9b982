/** The image runs what the tests run on, and holds nothing that only builds. No Docker is needed to read its recipe. */
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import t from 'tap';

const recipe = readFileSync('Dockerfile', 'utf8').replaceAll('\\\n', ' ');
const stages = recipe.split(/^(?=FROM )/m).slice(1);
const { engines, scripts, dependencies, devDependencies } = JSON.parse(
  readFileSync('package.json', 'utf8'),
);

t.test('both stages are on the LTS release that the tests also run on', async (t) => {
  const [, major] = /--package=node@(\d+) /.exec(scripts['tap:lts']) ?? [];
  t.ok(Number(major) >= 24 && Number(major) % 2 === 0, `Node.js ${major}`);
  t.equal(stages.length, 2);
  for (const stage of stages) t.match(stage, new RegExp(`^FROM node:${major}-`));
  t.equal(engines.node, '>=20.20.2', 'and older ones are still taken');
  const [here = ''] = process.versions.node.split('.');
  t.ok(Number(here) >= 20);
});

t.test('the last stage has an init, time to recover, and no compiler', async (t) => {
  const [build = '', last = ''] = stages;
  t.match(last, /^ENTRYPOINT \["tini", "--"\]$/m);
  t.match(last, /install [^\n]* tini\b/);
  const [, seconds] = /^HEALTHCHECK .*--start-period=(\d+)s/m.exec(last) ?? [];
  t.ok(Number(seconds) >= 120, 'a database that recovers is not ill');
  const [, removed = ''] =
    /tsc -p src\/tsconfig\.json +&& node dist\/src\/build\/index\.js +&& rm -rf (.*)$/m.exec(
      build,
    ) ?? [];
  t.match(removed, /node_modules\/typescript\b/);
  t.match(removed, /node_modules\/@types\b/);
  t.match(removed, /node_modules\/esbuild\b/);
  t.notMatch(last, /\bnpm\b|\bnpx\b|build-essential|\bgcc\b/);
  t.match(last, /^USER node$/m);
});

t.test('what is copied is there to be copied', async (t) => {
  const sent = readFileSync('.dockerignore', 'utf8').split('\n');
  const copied = [...recipe.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) =>
    names.split(' '),
  );
  t.ok(copied.includes('openapi.yaml') && copied.includes('src'), copied.join(' '));
  for (const name of copied) t.ok(sent.includes(`!${name.split('/', 1)[0]}`), name);
});

t.test('the last stage has the scripts that it serves', async (t) => {
  t.match(stages.at(-1) ?? '', /^COPY (src\/service\/collectors) \.\/\1$/m);
});

t.test(
  'what the image compiles and bundles is there without the packages for development',
  async (t) => {
    const sources = ['src', 'routes', 'schemas'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.tsx?$/.test(name))
        .map((name) => readFileSync(`${folder}/${name}`, 'utf8')),
    );
    const imports = sources.flatMap((text) => [
      ...text.matchAll(/\bfrom '(@[\w-]+\/[\w-]+|[\w-]+)/g),
    ]);
    const packages = new Set(imports.map(([, name]) => name!));
    t.ok(packages.has('pg') && packages.has('preact') && packages.has('esbuild'), 'they are read');
    for (const name of packages) {
      if (name === 'node') continue;
      t.ok(name in dependencies, name);
      t.notOk(`@types/${name}` in devDependencies, `its types, too: ${name}`);
    }
  },
);
