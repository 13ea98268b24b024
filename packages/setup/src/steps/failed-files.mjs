// A reporter of node:test: the files in which a test failed, one a line.

/** @param {AsyncIterable<{ type: string, data: { file?: string } }>} events */
// node:test wants a default export.
// oxlint-disable-next-line import/no-default-export
export default async function* failedFiles(events) {
  const failed = new Set()
  for await (const { type, data } of events) if (type === 'test:fail' && data.file !== undefined) failed.add(data.file)
  for (const file of failed) yield `${file}\n`
}
