/** The document in OpenAPI 3.0: valid for tools that we did not write, and it says what the 3.1 document says. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import t from 'tap';
import { buildApp } from '../../src/app.js';

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { operationId: string; responses: object }>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
}

t.test('GET /openapi-3.0.json', async (t) => {
  const app = await buildApp();
  t.teardown(() => app.close());
  const old = (await app.inject('/openapi-3.0.json')).json<Document>();
  const now = (await app.inject('/openapi.json')).json<Document>();

  t.test('a service sends what the build made of openapi.yaml: the same documents', async (t) => {
    const made = (name: string) => JSON.parse(readFileSync(join('dist', name), 'utf8'));
    t.strictSame(made('openapi.json'), now);
    t.strictSame(made('openapi-3.0.json'), old);
  });

  t.test('is valid OpenAPI 3.0', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'pebslab-openapi-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'openapi.json');
    writeFileSync(file, JSON.stringify(old));
    const args = ['node_modules/@redocly/cli/bin/cli.js', 'lint', file, '--config', 'redocly.yaml'];
    const env = {
      ...process.env,
      REDOCLY_TELEMETRY: 'off',
      REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
    };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env }).catch(
      (failed: { stdout: string; stderr: string }) => failed,
    );
    t.match(stderr, /Your API description is valid/, stdout + stderr);
    t.notMatch(stdout + stderr, /[0-9] warnings?/);
  });

  t.test('has every operation, answer and schema', async (t) => {
    t.match(old.openapi, /^3\.0\./);
    const told = ({ paths }: Document) =>
      Object.entries(paths).flatMap(([path, operations]) =>
        Object.entries(operations).map(
          ([method, { operationId, responses }]) =>
            `${method} ${path} ${operationId} ${Object.keys(responses)}`,
        ),
      );
    t.strictSame(told(old), told(now));
    // What may be null is said in its place.
    const inPlace = [
      'GlobalCtrlField',
      'SamplingPeriod',
      'KernelDifference',
      'MsrParting',
      'Region',
    ];
    const named = Object.keys(now.components.schemas).filter((name) => !inPlace.includes(name));
    t.strictSame(Object.keys(old.components.schemas), named);
  });

  t.test('says in the words of 3.0 what may be null, and of which types a value is', async (t) => {
    const text = JSON.stringify(old);
    t.notMatch(text, /"type":"null"|"type":\[|"examples":/);
    const { U64Input = {}, WhoAmI = {} } = old.components.schemas;
    t.match(U64Input, { anyOf: [{ type: 'string' }, { type: 'integer' }], maxLength: 20 });
    t.match(WhoAmI, { type: 'object', properties: { name: { nullable: true, type: 'string' } } });
  });
});
