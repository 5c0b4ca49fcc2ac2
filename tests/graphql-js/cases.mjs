// Makes documents, valid ones and such as are broken in one place, and says of each what graphql-js, the
// reference implementation, does with it: one line of JSON each.
//
//   node cases.mjs schema.graphql SEED COUNT
//
// A line has the query, the variables as JSON text, the operation's name, whether it is accepted, and if so
// the coerced variables and what the operation answers where every type and value is decided by its place.
import { readFileSync } from 'node:fs';
import {
  assertValidSchema, buildSchema, execute, GraphQLList, GraphQLNonNull, getNamedType, getVariableValues, isAbstractType, isCompositeType, isEnumType,
  isInputObjectType, isLeafType, isListType, isNonNullType, isObjectType, isRequiredArgument, isRequiredInputField,
  Lexer, parse, Source, specifiedRules, TypeNameMetaFieldDef, validate,
} from 'graphql';

const [file, seed, count] = process.argv.slice(2);
const schema = buildSchema(readFileSync(file, 'utf8'));

// graphql-js does not compare the type of `__typename` with those of fields of the same key, as the specification
// demands. It does where `__typename` is a field like any other.
const strict = buildSchema(readFileSync(file, 'utf8'));
assertValidSchema(strict);
for (const type of Object.values(strict.getTypeMap())) {
  if (type.getFields && !isInputObjectType(type) && !type.name.startsWith('__')) type.getFields().__typename = TypeNameMetaFieldDef;
}

// A guard of graphql-js, and no rule of the specification; the server has guards of its own.
const RULES = specifiedRules.filter((rule) => rule.name !== 'MaxIntrospectionDepthRule');

/** What graphql-js has of a later draft of the specification. */
const DRAFT = new Set(['__Directive.isDeprecated', '__Directive.deprecationReason', '__Schema.directives.includeDeprecated']);

let state = Number(seed) >>> 0;
/** A number from 0 to 1, the same for the same seed (mulberry32). */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;

const ALIASES = ['a', 'b', 'c', 'id', 'name', 'node', 'on', 'type', 'fragment', 'query', '_', 'x1'];
const TEXTS = ['""', '"x"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u00e9"', '"\\u{1F600}"', '"\\uD83D\\uDE00"', '"é😀"',
  '"""block "quoted" \\""" \n   text"""', '""""""', '"# no comment"', '"2022-03-31"'];
const INTS = ['0', '-0', '1', '20', '200', '-5', '2147483647', '-2147483648'];
const FLOATS = ['0.0', '-1.5', '1e3', '6.02E-2', '123456789.123'];

/** What one document is made of so far. */
class Draft {
  variables = new Map();
  fragments = new Map();

  document() {
    const operations = [];
    const many = chance(0.1) ? 2 : 1;
    for (let i = 0; i < many; i += 1) {
      const kind = chance(0.35) ? 'mutation' : 'query';
      this.variables = new Map();
      const root = kind === 'query' ? schema.getQueryType() : schema.getMutationType();
      const named = many > 1 || chance(0.5);
      // Fragments may use variables, so each operation has its own.
      this.prefix = `F${i}`;
      this.uses = new Map();
      const set = this.set(root, 0);
      const variables = [...this.variables].map(([name, v]) => `$${name}: ${v.type}${v.default ? ` = ${v.default}` : ''}`);
      const head = named || variables.length > 0 || kind === 'mutation' || chance(0.3)
        ? `${kind}${named ? ` Q${i}` : ''}${variables.length ? ` (${variables.join(chance(0.5) ? ', ' : ' ')})` : ''} ` : '';
      operations.push({ text: `${head}${set}`, name: named ? `Q${i}` : null, variables: this.variables });
    }
    const parts = operations.map((o) => o.text);
    for (const [name, fragment] of this.fragments) parts.splice(below(parts.length + 1), 0, `fragment ${name} on ${fragment.on} ${fragment.set}`);
    const asked = pick(operations);
    return { text: parts.join('\n'), name: chance(0.7) || many > 1 ? asked.name : null, variables: asked.variables };
  }

  set(type, depth) {
    const selections = [];
    const wanted = 1 + below(depth > 2 ? 2 : 4);
    for (let i = 0; i < wanted; i += 1) selections.push(this.selection(type, depth));
    if (chance(0.15)) selections.push(pick(selections));
    return `{ ${selections.join(' ')} }`;
  }

  selection(type, depth) {
    const fields = type.getFields ? Object.values(type.getFields()).filter((f) => !DRAFT.has(`${type.name}.${f.name}`)) : [];
    const dice = random();
    if (dice < 0.12 || (fields.length === 0 && dice < 0.3)) return this.keyed('__typename') + this.directives();
    if (fields.length === 0 ? depth < 6 : dice > 0.82 && depth < 5) return this.fragment(type, depth);
    if (fields.length === 0) return '__typename';
    if (type === schema.getQueryType() && depth < 4 && chance(0.1)) {
      return chance(0.5) ? `${this.keyed('__schema')} ${this.set(schema.getType('__Schema'), depth + 1)}`
        : `${this.keyed('__type')}(name: "Node") ${this.set(schema.getType('__Type'), depth + 1)}`;
    }
    const leaves = fields.filter((f) => isLeafType(getNamedType(f.type)));
    const few = depth > 4 && leaves.length > 0 ? leaves : fields;
    if (depth > 5 && leaves.length === 0) return '__typename';
    const field = pick(few);
    const inner = getNamedType(field.type);
    return this.keyed(field.name) + this.arguments(field.args.filter((a) => !DRAFT.has(`${type.name}.${field.name}.${a.name}`))) + this.directives()
      + (isCompositeType(inner) ? ` ${this.set(inner, depth + 1)}` : '');
  }

  keyed(name) { return chance(0.25) ? `${pick(ALIASES)}: ${name}` : name; }

  fragment(type, depth) {
    const possible = isAbstractType(type) ? schema.getPossibleTypes(type) : [type];
    const around = Object.values(schema.getTypeMap()).filter((t) => isAbstractType(t) && !t.name.startsWith('__')
      && schema.getPossibleTypes(t).some((p) => possible.includes(p)));
    const on = chance(0.75) ? pick(possible) : pick([type, ...around]);
    if (chance(0.5)) return `...${chance(0.85) ? ` on ${on.name}` : ''}${this.directives()} ${this.set(chance(0.85) ? on : type, depth + 2)}`;
    const existing = [...this.fragments].filter(([name, f]) => f.on === on.name && f.set && name.startsWith(this.prefix));
    if (existing.length > 0 && chance(0.5)) return `...${pick(existing)[0]}${this.directives()}`;
    const name = `${this.prefix}_${this.fragments.size}`;
    this.fragments.set(name, { on: on.name, set: null });
    this.fragments.get(name).set = this.set(on, depth + 2);
    return `...${name}${this.directives()}`;
  }

  directives() {
    if (chance(0.88)) return '';
    const condition = chance(0.5) ? pick(['true', 'false']) : this.variable('Boolean!', 'condition');
    return ` @${pick(['skip', 'include'])}(if: ${condition})`;
  }

  arguments(args) {
    const given = args.filter((arg) => isRequiredArgument(arg) || chance(0.4));
    if (given.length === 0) return '';
    return `(${given.map((arg) => `${arg.name}: ${this.value(arg.type, 0)}`).join(', ')})`;
  }

  /** A new variable for a place of this type, or one that is there. */
  variable(type, hint) {
    const same = [...this.variables].filter(([, v]) => v.type === type && v.hint === hint);
    if (same.length > 0 && chance(0.3)) return `$${pick(same)[0]}`;
    const name = pick(['v', 'w', 'input', 'on', 'true_']) + this.variables.size;
    let declared = type;
    let fallback = null;
    if (!type.endsWith('!') && chance(0.3)) declared = `${type}!`;
    if (type.endsWith('!') && chance(0.2)) { declared = type.slice(0, -1); fallback = this.constant(declared); }
    else if (chance(0.2)) fallback = this.constant(declared);
    this.variables.set(name, { type: declared, default: fallback, hint });
    return `$${name}`;
  }

  constant(type) { return this.value(wrapped(type), 2, true); }

  value(type, depth, isConstant = false) {
    if (!isConstant && chance(depth === 0 ? 0.3 : 0.1)) return this.variable(String(type));
    if (isNonNullType(type)) return this.value(type.ofType, depth, isConstant);
    if (chance(0.06)) return isConstant && depth === 2 ? this.bare(type, depth, isConstant) : 'null';
    return this.bare(type, depth, isConstant);
  }

  bare(type, depth, isConstant) {
    if (isNonNullType(type)) return this.bare(type.ofType, depth, isConstant);
    if (isListType(type)) {
      if (chance(0.3)) return this.bare(type.ofType, depth, isConstant);
      return `[${Array.from({ length: below(3) }, () => this.value(type.ofType, depth + 1, isConstant)).join(', ')}]`;
    }
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((f) => isRequiredInputField(f) || (depth < 4 && chance(0.5)));
      return `{${fields.map((f) => `${f.name}: ${this.value(f.type, depth + 1, isConstant)}`).join(', ')}}`;
    }
    if (isEnumType(type)) return pick(type.getValues()).name;
    switch (type.name) {
      case 'Int': return pick(INTS);
      case 'Float': return pick([...INTS, ...FLOATS]);
      case 'Boolean': return pick(['true', 'false']);
      case 'String': return pick(TEXTS);
      case 'ID': return pick([...TEXTS, '7', '123456789012345678901234567890', '-0']);
      default: return this.json(0);
    }
  }

  json(depth) {
    const dice = random();
    if (dice < 0.3 && depth < 2) return `{${['a', 'b', 'c'].filter(() => chance(0.6)).map((k) => `${k}: ${this.json(depth + 1)}`).join(' ')}}`;
    if (dice < 0.4 && depth < 2) return `[${this.json(depth + 1)} ${this.json(depth + 1)}]`;
    return pick([...INTS, ...FLOATS, ...TEXTS, 'true', 'NAME', depth > 0 ? 'null' : '1']);
  }
}

function wrapped(text) {
  if (text.endsWith('!')) return new GraphQLNonNull(wrapped(text.slice(0, -1)));
  if (text.startsWith('[')) return new GraphQLList(wrapped(text.slice(1, -1)));
  return schema.getType(text);
}

// ---- Broken in one place -------------------------------------------------------------------------------

const TYPES = ['Int', 'Int!', 'ID', 'ID!', '[ID]', '[ID!]', '[ID!]!', 'String', 'String!', 'Boolean', 'Boolean!', 'JSON', 'Float',
  'NotificationEventName', '[NotificationEventName!]', '[NotificationEventName]', 'RenameNotificationTargetInput!',
  'NotificationEventsFilterInput', 'Node', 'NotificationEvent', 'Unknown', '[[Int]]'];

function tokens(text) {
  const lexer = new Lexer(new Source(text));
  const found = [];
  for (let token = lexer.advance(); token.kind !== '<EOF>'; token = lexer.advance()) {
    found.push({ kind: token.kind, start: token.start, end: token.end, text: text.slice(token.start, token.end) });
  }
  return found;
}

const replaced = (text, at, by) => text.slice(0, at.start) + by + text.slice(at.end);
const NAMES = Object.values(schema.getTypeMap()).flatMap((t) => (t.getFields ? Object.keys(t.getFields()) : []));
const VALUES = ['1', '1.5', '"1"', 'true', 'null', 'ENUM', 'PAYMENT_CARD_ISSUED', '[]', '[1]', '{}', '{a: 1}', '[null]', '2147483648',
  '-2147483649', '1e2', '$v0', '$unknown', '[$v0]', '{name: $v0}'];
const ADDED = ['nope', 'nope: ping', '__typename { x }', '__typename(a: 1)', '... on Nope { x }', '... on String { x }', '... on UserError { errors { code } }',
  '...Nope', '...F0_0', 'a: __typename', 'b: __typename', 'id', 'name', 'name { x }', 'node', '__schema { types { name } }', '...F0_0 @nope', '... { __typename }',
  '... @include { __typename }', '__typename @skip(if: 1)', '__typename @skip(if: true) @skip(if: true)', '__typename @deprecated', '__typename @include(if: $v0)',
  '__typename @include(if: true, x: 1)', '__typename @include(if: true) @skip(if: false)', '...', '__type(name: 5) { name }', '__type { name }',
  '__type(name: "Node") { isOneOf fields(includeDeprecated: null) { isDeprecated } }', '__type(name: "Node") { a: isOneOf a: name }',
  '__type(name: "Node") { inputFields { deprecationReason isDeprecated(x: 1) } }', 'a: id b: id', '__typename @specifiedBy(url: "x")'];

/** Ways to break a document. Each gets the text and its tokens. */
const BREAKS = {
  token_dropped: (text, all) => replaced(text, pick(all), ''),
  token_doubled: (text, all) => { const t = pick(all); return replaced(text, t, `${t.text} ${t.text}`); },
  tokens_swapped: (text, all) => {
    const i = below(all.length - 1);
    const [a, b] = [all[i], all[i + 1]];
    return text.slice(0, a.start) + b.text + text.slice(a.end, b.start) + a.text + text.slice(b.end);
  },
  token_replaced: (text, all) => replaced(text, pick(all), pick(all).text),
  sign_put_in: (text, all) => { const t = pick(all); return replaced(text, t, `${pick(['!', '$', '(', ')', '...', ':', '=', '@', '[', ']', '{', '|', '}', '&', '"', 'on', '%', '..', '1a', '00', '.5', '"\\u{110000}"', '"\\uD800"', '"\\x"'])} ${t.text}`); },
  name_replaced: (text, all) => replaced(text, pick(all.filter((t) => t.kind === 'Name')), pick(NAMES)),
  name_unknown: (text, all) => replaced(text, pick(all.filter((t) => t.kind === 'Name')), 'nope'),
  field_added: (text, all) => { const t = pick(all.filter((x) => x.text === '{')); return replaced(text, t, `{ ${pick(ADDED)} `); },
  set_emptied: (text, all) => {
    const i = pick(all.map((t, index) => [t, index]).filter(([t]) => t.text === '{'))[1];
    let depth = 0;
    let j = i;
    for (; j < all.length; j += 1) {
      if (all[j].text === '{') depth += 1;
      if (all[j].text === '}' && (depth -= 1) === 0) break;
    }
    return j < all.length ? text.slice(0, all[i].start) + pick(['', '{}']) + text.slice(all[j].end) : text;
  },
  leaf_opened: (text, all) => { const t = pick(all.filter((x) => x.kind === 'Name')); return replaced(text, t, `${t.text} { id }`); },
  value_replaced: (text, all) => {
    const at = all.filter((t, i) => i > 0 && all[i - 1].text === ':' && ['Int', 'Float', 'String', 'BlockString', 'Name'].includes(t.kind));
    return at.length > 0 ? replaced(text, pick(at), pick(VALUES)) : text;
  },
  argument_added: (text, all) => {
    const at = all.filter((t) => t.text === '(');
    return at.length > 0 ? replaced(text, pick(at), `(${pick(['nope: 1', 'id: "x"', 'first: 1', 'input: {}', 'if: true', '$extra: Int', '$v0: Int'])} `) : text;
  },
  arguments_put_in: (text, all) => { const t = pick(all.filter((x) => x.kind === 'Name')); return replaced(text, t, `${t.text}${pick(['(first: 1)', '(id: 1)', '()', '(nope: 1)', '(filterBy: {name: "X"})'])}`); },
  object_field_added: (text, all) => {
    const at = all.filter((t, i) => t.text === '{' && i > 0 && [':', '[', '=', ','].includes(all[i - 1].text));
    return at.length > 0 ? replaced(text, pick(at), `{${pick(['nope: 1', 'name: "x"', 'name: null', 'targetId: 1', 'a: 1, a: 2', 'input: 1', 'events: []', 'node: {a: 1, a: 1}'])} `) : text;
  },
  variable_retyped: (text, all) => {
    const at = all.map((t, i) => [t, i]).filter(([t, i]) => t.text === ':' && i > 1 && all[i - 2].text === '$' && all[i + 1]);
    if (at.length === 0) return text;
    const [, i] = pick(at);
    let end = i + 1;
    while (all[end] && ['[', ']', '!'].includes(all[end + 1]?.text)) end += 1;
    return text.slice(0, all[i + 1].start) + pick(TYPES) + text.slice(all[end].end);
  },
  default_added: (text, all) => {
    const at = all.filter((t, i) => i > 2 && t.kind === 'Name' && all[i - 1].text === ':' && all[i - 3].text === '$');
    return at.length > 0 ? (() => { const t = pick(at); return replaced(text, t, `${t.text} = ${pick(VALUES)}`); })() : text;
  },
  variable_directive: (text, all) => {
    const at = all.filter((t, i) => i > 2 && t.kind === 'Name' && all[i - 1].text === ':' && all[i - 3].text === '$');
    return at.length > 0 ? (() => { const t = pick(at); return replaced(text, t, `${t.text} ${pick(['@skip(if: true)', '@deprecated', '@nope'])}`); })() : text;
  },
  variable_replaced: (text, all) => {
    const at = all.filter((t, i) => i > 0 && all[i - 1].text === '$');
    return at.length > 0 ? replaced(text, pick(at), pick([...at.map((t) => t.text), 'unknown'])) : text;
  },
  condition_replaced: (text, all) => {
    const at = all.filter((t, i) => i > 0 && all[i - 1].text === 'on');
    return at.length > 0 ? replaced(text, pick(at), pick(['Nope', 'String', 'JSON', 'NotificationEventName', 'Query', 'Node', 'UserError', 'NotificationEvent', 'RenameNotificationTargetInput', '__Type'])) : text;
  },
  definition_added: (text) => `${text} ${pick(['{ ping }', 'query Q0 { ping }', 'query Q9 { ping }', 'fragment F0_0 on Query { ping }', 'fragment Unused on Query { ping }',
    'fragment C on Query { ...C }', 'fragment C on Query { ...D } fragment D on Query { ...C }', 'subscription { ping }', 'type X { a: Int }', 'fragment on on Query { ping }',
    'mutation M { __typename }', 'query ($unused: Int) { ping }', 'query Q8 ($unused: Int) { ping }', 'query Q8 ($a: Int, $a: Int) { notificationEvents(first: $a) { __typename } }', '#'])}`,
  operation_directive: (text, all) => { const t = all.find((x) => x.text === '{'); return replaced(text, t, `${pick(['@skip(if: true)', '@nope', '@include(if: true)'])} {`); },
  keyword_replaced: (text, all) => { const at = all.filter((t) => ['query', 'mutation'].includes(t.text)); return at.length > 0 ? replaced(text, pick(at), pick(['query', 'mutation', 'subscription'])) : text; },
  selection_moved: (text, all) => {
    // What one set asks for is asked for in another too: fields overlap.
    const opens = all.map((t, i) => [t, i]).filter(([t]) => t.text === '{');
    const [, from] = pick(opens);
    let depth = 0;
    let j = from;
    for (; j < all.length; j += 1) {
      if (all[j].text === '{') depth += 1;
      if (all[j].text === '}' && (depth -= 1) === 0) break;
    }
    if (j >= all.length) return text;
    const inner = text.slice(all[from].end, all[j].start);
    const [to] = pick(opens);
    return replaced(text, to, `{ ${inner} `);
  },
};

// ---- What graphql-js does ------------------------------------------------------------------------------

/** Values of variables: right ones, and some that are not. */
function valueFor(type, depth = 0) {
  if (chance(0.05)) return pick([null, 1, 1.5, 'x', true, [], {}, [null], '"raw:20.0"', 'PAYMENT_CARD_ISSUED', 2147483648, { a: 1 }, -0.5]);
  if (isNonNullType(type)) return valueFor(type.ofType, depth);
  if (chance(0.05)) return null;
  if (isListType(type)) return chance(0.25) ? valueFor(type.ofType, depth) : Array.from({ length: below(3) }, () => valueFor(type.ofType, depth + 1));
  if (isInputObjectType(type)) {
    const entries = Object.values(type.getFields()).filter((f) => (isRequiredInputField(f) ? chance(0.97) : depth < 4 && chance(0.5)));
    if (chance(0.03)) entries.push({ name: 'nope', type: schema.getType('Int') });
    return Object.fromEntries(entries.map((f) => [f.name, valueFor(f.type, depth + 1)]));
  }
  if (isEnumType(type)) return pick(type.getValues()).name;
  switch (type?.name) {
    case 'Int': return pick([0, 1, 20, -5, 2147483647, '"raw:20.0"', '"raw:2e1"', '"raw:-0"', '"raw:-0.0"']);
    case 'Float': return pick([0, 1.5, 1e300]);
    case 'Boolean': return chance(0.5);
    case 'String': return pick(['', 'x', 'é😀', '\u0000', '2022-03-31']);
    case 'ID': return pick(['', 'x', 7, '"raw:7.0"', 9007199254740991, -1, '7']);
    default: return pick([1, 1.5, 'x', true, { a: [1, { b: null }] }, []]);
  }
}

/** JSON in which a number may be written as we like it. */
const written = (value) => JSON.stringify(value, (_, v) => v).replace(/"\\"raw:([^"\\]*)\\""/g, '$1');

/** A small number that belongs to a place. */
function place(text) {
  let hash = 7;
  for (const c of text) hash = (Math.imul(hash, 31) + c.charCodeAt(0)) >>> 0;
  return hash;
}

/** Where a field stands, by keys, without the positions in lists. */
const way = (path) => { const keys = []; for (let p = path; p; p = p.prev) if (typeof p.key === 'string') keys.unshift(p.key); return keys.join('.'); };

function made(type) {
  if (isNonNullType(type)) return made(type.ofType);
  if (isListType(type)) return [made(type.ofType), made(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0].value;
  return { Int: 1, Float: 1, Boolean: true }[type.name] ?? (isLeafType(type) ? 'x' : {});
}

/** What is answered, unless an error is, where all lists have two items, all scalars one value, and a place decides about the type. */
function answered(document, operationName, variables) {
  const { data, errors } = execute({
    schema, document, operationName, variableValues: variables, rootValue: {},
    fieldResolver: (_source, _args, _context, info) => made(info.returnType),
    typeResolver: (_value, _context, info, type) => {
      const members = schema.getPossibleTypes(type).map((t) => t.name).sort();
      return members[place(way(info.path)) % members.length];
    },
  });
  return errors ? undefined : data;
}

function judged(draft, text, rule) {
  const types = new Map([...draft.variables].map(([name, v]) => [name, wrapped(v.type)]));
  const given = Object.fromEntries([...types].filter(([name]) => (draft.variables.get(name).hint === 'condition' ? true : chance(0.85)))
    .map(([name, type]) => [name, draft.variables.get(name).hint === 'condition' ? chance(0.5) : valueFor(type)]));
  if (chance(0.05)) given.undeclared = 1;
  const line = { rule, query: text, variables: written(given), operation: draft.name };
  const refused = (why) => ({ ...line, accepted: false, why });
  let document;
  try { document = parse(text); } catch (error) { return refused(`parse: ${error.message}`); }
  const errors = validate(strict, document, RULES);
  if (errors.length > 0) return refused(errors[0].message);
  const operations = document.definitions.filter((d) => d.kind === 'OperationDefinition');
  const operation = draft.name ? operations.find((o) => o.name?.value === draft.name) : operations.length === 1 ? operations[0] : null;
  if (!operation) return refused('no such operation');
  const values = getVariableValues(schema, operation.variableDefinitions ?? [], JSON.parse(line.variables));
  if (values.errors) return refused(`variables: ${values.errors[0].message}`);
  const declared = (operation.variableDefinitions ?? []).map((d) => d.variable.name.value);
  const isAboutTheSchema = /__schema|__type\b/.test(text);
  const answer = isAboutTheSchema ? undefined : answered(document, draft.name, JSON.parse(line.variables));
  return { ...line, accepted: true, declared, coerced: values.coerced, answer };
}

for (let i = 0; i < Number(count); i += 1) {
  const draft = new Draft();
  const { text, name, variables } = draft.document();
  const made = { name, variables };
  const rule = chance(0.35) ? null : pick(Object.keys(BREAKS));
  let broken = text;
  if (rule) {
    try { broken = BREAKS[rule](text, tokens(text)); } catch (error) { console.error(rule, text); throw error; }
  }
  process.stdout.write(`${JSON.stringify(judged(made, broken, rule))}\n`);
}
