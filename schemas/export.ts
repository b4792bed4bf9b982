/** Files of what happened step by step: their formats, and how they are asked for. */
import { type Static, Type } from 'typebox';
import { EXPORT_FORMATS } from '../src/model/vocabulary.js';
import { oneOf } from './common.js';

/** Fields of a query for what is also to be had as a file. */
export const exportFields = {
  format: Type.Optional(
    oneOf(['json', ...EXPORT_FORMATS], {
      description:
        'instead of the Accept header: text (a story), mermaid (a sequence diagram), vcd (GTKWave, Surfer), chrome (Perfetto, speedscope), itf (model checkers), ftrace (as Linux prints a trace), jsonl (a step a line)',
      examples: ['vcd'],
    }),
  ),
  steps: Type.Optional(
    oneOf(['telling', 'all'], {
      description:
        'all: the story and the diagram also spell out the steps that only mark time, which they otherwise fold',
    }),
  ),
};

export const ExportQuerySchema = Type.Object(exportFields, {
  $id: 'ExportQuery',
  additionalProperties: false,
  description: 'the format',
  examples: [{ format: 'vcd' }],
});
export type ExportQuery = Static<typeof ExportQuerySchema>;

export const ExportTextSchema = Type.String({
  $id: 'ExportText',
  maxLength: 16_000_000,
  description: 'the same as a file in another format',
  examples: ['sequenceDiagram\n'],
});
