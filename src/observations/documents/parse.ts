/** Parsers of documents, with bounds to what hostile ones can cost. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { FAILSAFE_SCHEMA, load } from 'js-yaml';
import { BadDocument } from './document.js';
import { type Fields, fieldsOf } from './values.js';

const DEPTH_MAX = 32;
/** PyYAML names what it writes twice. Readers look at few fields, so what aliases stand for is never unfolded. */
const ALIASES_MAX = 10_000;

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BadDocument('', `is not whole JSON: ${reasonOf(error)}`);
  }
}

/** Scalars stay strings, as LAVA wrote them. */
export function parseYaml(text: string, pointer: string): unknown {
  try {
    return load(text, {
      schema: FAILSAFE_SCHEMA,
      maxDepth: DEPTH_MAX,
      maxAliases: ALIASES_MAX,
      json: true,
    });
  } catch (error) {
    throw new BadDocument(pointer, `is not YAML: ${reasonOf(error)}`);
  }
}

/** Attributes and children by name, children as lists; an element's text is its `#text`. */
export function parseXml(text: string): Fields {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) {
    throw new BadDocument('', 'has a document type, which results of tests do not need');
  }
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    attributesGroupName: false,
    processEntities: false,
    parseTagValue: false,
    parseAttributeValue: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    maxNestedTags: DEPTH_MAX,
    isArray: (_name, _path, _isLeaf, isAttribute) => !isAttribute,
  });
  try {
    // The parser alone takes a document that has been cut.
    const checked = XMLValidator.validate(text);
    if (checked !== true) throw new Error(`${checked.err.msg} (line ${checked.err.line})`);
    return fieldsOf(parser.parse(text));
  } catch (error) {
    throw new BadDocument('', `is not whole XML: ${reasonOf(error)}`);
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};

/** Text of XML with the entities that every document has; others stay as they are. */
export function plainXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function reasonOf(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
  return line.slice(0, 200);
}
