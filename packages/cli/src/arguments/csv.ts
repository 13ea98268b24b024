/**
 * Splits one record as Go's encoding/csv does: commas, and fields in double quotes, in which `""` is a quote.
 * @throws Error with Go's text
 */
export function readCsv(record: string): string[] {
  if (record === '') throw new Error('EOF')
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (record[at] === '"') {
      let field = ''
      for (at++; ; at++) {
        if (at >= record.length) throw new Error(`parse error on line 1, column ${record.length + 1}: extraneous or missing " in quoted-field`)
        if (record[at] !== '"') field += record[at]
        else if (record[at + 1] === '"') field += record[at++]
        else break
      }
      at++
      if (at < record.length && record[at] !== ',') throw new Error(`parse error on line 1, column ${at}: extraneous or missing " in quoted-field`)
      fields.push(field)
    } else {
      const end = record.indexOf(',', at) === -1 ? record.length : record.indexOf(',', at)
      const field = record.slice(at, end)
      const quote = field.indexOf('"')
      if (quote !== -1) throw new Error(`parse error on line 1, column ${at + quote + 1}: bare " in non-quoted-field`)
      fields.push(field)
      at = end
    }
    if (at >= record.length) return fields
    at++
  }
}

/** `key=value` parted at the first `=`; `undefined` as value when there is none. */
export function cut(text: string, separator = '='): readonly [string, string | undefined] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
