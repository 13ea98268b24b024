import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { statusOfCode } from '@engine/api'
import { options } from './options.ts'

const page = (name: string): string => readFileSync(join(import.meta.dirname, '../../../docs', name), 'utf8')

describe('the documentation', () => {
  it('has a row for every error code, with its status', () => {
    for (const [code, status] of Object.entries(statusOfCode)) assert.ok(page('errors.md').includes(`| \`${code}\` | ${status} |`), code)
  })

  it('has every key of the configuration', () => {
    for (const { key } of options) assert.ok(page('configuration.md').includes(`\`${key}\``), key)
  })
})
