import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { manPages } from './man-pages.ts'

interface Steps {
  installManPages(pages: Readonly<Record<string, string>>, own: string, place: string): void
  removeManPages(own: string, place: string): void
}

describe('man pages', () => {
  it('are there for every command, under all its names', async () => {
    const pages = await manPages()
    for (const name of ['engine.1', 'engine-run.1', 'engine-container-run.1', 'engine-system-prune.1', 'engine-explain.1']) assert.match(pages.get(name) ?? '', /^\.TH /, name)
    for (const [name, text] of pages) {
      const other = /^\.so man1\/(.+)$/m.exec(text)?.[1]
      if (other === undefined) assert.match(text, /\.SH NAME\n/, name)
      else assert.ok(pages.has(other), `${name}: ${other}`)
    }
    assert.match(pages.get('engine-run.1') ?? '', /\\-\\-gpus/)
  })

  it('are put where man looks and taken away again, others’ pages left alone', async () => {
    const { installManPages, removeManPages } = await import(join(import.meta.dirname, '../../../setup/src/steps/man-pages.mjs')) as Steps
    const directory = mkdtempSync(join(tmpdir(), 'engine-man-'))
    try {
      const own = join(directory, 'programs/man')
      const place = join(directory, 'man1')
      installManPages({ 'engine.1': 'one', 'engine-old.1': 'old' }, own, place)
      writeFileSync(join(place, 'other.1'), 'not ours')
      installManPages({ 'engine.1': 'two', 'other.1': 'ours' }, own, place)
      assert.deepEqual(readdirSync(place).sort(), ['engine.1', 'other.1'])
      assert.deepEqual([readFileSync(join(place, 'engine.1'), 'utf8'), readFileSync(join(place, 'other.1'), 'utf8')], ['two', 'not ours'])
      removeManPages(own, place)
      assert.deepEqual([readdirSync(place), existsSync(own)], [['other.1'], false])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
