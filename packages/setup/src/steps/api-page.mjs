// docs/api.html: the API as engine serves it, from the document that GET /openapi.json answers with. One page without scripts.

/** @typedef {import('../../../api/src/openapi.ts').OpenApiDocument} OpenApiDocument */
/** @typedef {import('../../../api/src/openapi.ts').JsonSchema} JsonSchema */

/** The page's text.
 * @param {OpenApiDocument} document @returns {string} */
export function documentationPage(document) {
  const sections = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => {
    const rows = operation.parameters.map(({ name, in: where, schema }) => `<tr><td><code>${escape(name)}</code><td>${where}<td>${escape(typeText(schema))}`)
    const body = operation.requestBody?.content['application/json']
    const [status = '', success] = Object.entries(operation.responses)[0] ?? []
    const answer = success?.content?.['application/json']
    return [
      `<section id="${operation.operationId}">`,
      `<h2><b>${method.toUpperCase()}</b> <code>${escape(path)}</code> <small>${operation.operationId}</small></h2>`,
      ...(rows.length === 0 ? [] : ['<table><tr><th>parameter<th>in<th>type', ...rows, '</table>']),
      ...(body === undefined ? [] : [`<details><summary>body${operation.requestBody?.required ? ', required' : ''}</summary><pre>${escape(shape(body.schema, ''))}</pre></details>`]),
      answer === undefined ? `<p>${status}` : `<details><summary>${status}</summary><pre>${escape(shape(answer.schema, ''))}</pre></details>`,
      '</section>',
    ].join('\n')
  }))
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The API of engine</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}h2{font-size:1.1rem;margin-top:2rem}small{color:#777}table{border-collapse:collapse}td,th{padding:.1rem 1rem .1rem 0;text-align:left}pre{background:#f6f6f6;padding:1rem;overflow:auto}</style>
<h1>The API of engine</h1>
<p>${escape(document.info.description)} Version ${document.info.version}. Errors are <code>{"message": …, "hint"?: …}</code>. Written by <code>npm run docs</code> from <code>packages/api/src/schemas</code>; the same as JSON Schema: <code>GET /openapi.json</code>.</p>
${sections.join('\n')}
</html>
`
}

/** A type in one line. @param {JsonSchema} schema @returns {string} */
function typeText(schema) {
  const any = /** @type {readonly JsonSchema[] | undefined} */ (schema['anyOf'])
  if (any !== undefined) return [...new Set(any.map(typeText))].join(' | ')
  const { type, items, enum: values, const: value } = /** @type {{ type?: string | string[], items?: JsonSchema | false, enum?: unknown[], const?: unknown }} */ (schema)
  if (value !== undefined) return JSON.stringify(value)
  if (values !== undefined) return values.map((one) => JSON.stringify(one)).join(' | ')
  if (type === 'array') return items === undefined || items === false ? 'array' : `${typeText(items)}[]`
  return Array.isArray(type) ? type.join(' | ') : (type ?? 'any')
}

/** An object's fields, a line each. @param {JsonSchema} schema @param {string} indent @returns {string} */
function shape(schema, indent) {
  const any = /** @type {readonly JsonSchema[] | undefined} */ (schema['anyOf'])
  if (any !== undefined) {
    const [first, ...others] = any.filter(({ type }) => type !== 'null')
    if (first !== undefined && others.length === 0) return `${shape(first, indent)} | null`
    return typeText(schema)
  }
  const { type, properties, items, additionalProperties: rest } = /** @type {{ type?: string, properties?: Record<string, JsonSchema>, items?: JsonSchema | false, additionalProperties?: JsonSchema | false }} */ (schema)
  if (type === 'array' && items) return `[${shape(items, indent)}]`
  if (type !== 'object') return typeText(schema)
  if (properties === undefined || Object.keys(properties).length === 0) return rest ? `{ [name]: ${shape(rest, indent)} }` : '{}'
  const required = /** @type {readonly string[]} */ (schema['required'] ?? [])
  const lines = Object.entries(properties).map(([name, property]) => `${indent}  ${name}${required.includes(name) ? '' : '?'}: ${shape(property, `${indent}  `)}`)
  return `{\n${lines.join('\n')}\n${indent}}`
}

/** @param {string} text @returns {string} */
function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
