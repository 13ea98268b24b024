import type { Template } from './go-template/evaluate.ts'
import type { Row as TemplateRow } from './go-template/value.ts'
import { alignColumns } from './table.ts'

/** A value of a row, or how to get it; a function with a parameter is a method (`.Label "x"`). */
export type Member = string | (() => unknown) | ((argument: string) => unknown)

/** One kind of listing: what a row may show, and what the table shows of it. */
export interface View<T> {
  /** Go's name of the row's type, as messages about templates show it. */
  readonly type: string
  /** Column headings by field. */
  readonly headers: Readonly<Record<string, string>>
  /** Fields of the table, in order. */
  readonly table: readonly string[]
  /** The field that `--quiet` shows. */
  readonly quiet: string
  /** The template that `--format raw` stands for. */
  readonly raw?: string
  /** Adds to the table's fields for some options (`--size`). */
  members(item: T, truncate: boolean): Readonly<Record<string, Member>>
}

export interface Look {
  /** As `--format` gave it; undefined is the table. */
  readonly format?: string | undefined
  readonly quiet?: boolean
  readonly truncate?: boolean
  /** Fields after those of the table. */
  readonly extra?: readonly string[]
}

/** A template given by the user failed. The message says where. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

/**
 * Renders a listing as docker does: a table, ids only, or by a template (`table …`, `json`, `raw`, or any).
 * @throws FormatError
 */
export async function render<T>(view: View<T>, items: readonly T[], look: Look): Promise<string> {
  const truncate = look.truncate ?? true
  const format = look.format ?? 'table'
  if (format === '' || format === 'table') {
    if (look.quiet === true) return items.map((item) => `${show(view.members(item, truncate)[view.quiet])}\n`).join('')
    const fields = [...view.table, ...(look.extra ?? [])]
    const rows = items.map((item) => {
      const members = view.members(item, truncate)
      return fields.map((field) => show(members[field]))
    })
    return alignColumns([fields.map((field) => view.headers[field] ?? ''), ...rows])
  }
  // A template's code is loaded only when there is one: it is a third of the command's size.
  const { compile, Row, headerFunctions } = await import('./go-template/index.ts')
  const table = format.startsWith('table')
  const source = templateOf(view, look, format)
  const template = attempt('parse', () => compile(source))
  const lines = items.map((item) => attempt('execute', () => template(new Row(view.type, view.members(item, truncate)))))
  if (!table) return lines.map((line) => `${line}\n`).join('')
  const heading = attempt('parse', () => compile(source, headerFunctions))
  const headers = new Row(view.type, { ...view.headers, Label: (name: string) => name })
  const text = [attempt('execute', () => heading(headers)), ...lines].map((line) => `${line}\n`).join('')
  return alignColumns(text.split('\n').slice(0, -1).map((line) => line.split('\t')))
}

function templateOf<T>(view: View<T>, look: Look, format: string): string {
  if (look.quiet === true && !format.startsWith('table') && format !== 'json') return `{{.${view.quiet}}}`
  if (format === 'json') return '{{json .}}'
  if (format === 'raw' && view.raw !== undefined) return view.raw
  const body = format.startsWith('table') ? format.slice('table'.length).trim() : format
  return body.replaceAll('\\t', '\t').replaceAll('\\n', '\n')
}

function show(member: Member | undefined): string {
  return String(typeof member === 'function' ? (member as () => unknown)() : (member ?? ''))
}

function attempt<T>(step: 'parse' | 'execute', work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new FormatError(`failed to ${step} template: ${(error as Error).message}`)
  }
}

/** Whether a template asks for a field, found by carrying it out on a row that watches. */
export async function usesField<T>(view: View<T>, format: string, field: string): Promise<boolean> {
  if (format === '' || format === 'table' || format === 'json' || format === 'raw') return false
  const { compile, Row } = await import('./go-template/index.ts')
  let used = false
  const members = Object.fromEntries([...Object.keys(view.headers), 'Label'].map((name): [string, Member] => [name, () => {
    used ||= name === field
    return ''
  }]))
  let template: Template
  try {
    template = compile(templateOf(view, {}, format))
  } catch {
    return false
  }
  try {
    template(new Row(view.type, members) satisfies TemplateRow)
  } catch {
    // What fails on empty values may well work on real ones; render reports what does not.
  }
  return used
}
