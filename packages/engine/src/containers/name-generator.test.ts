import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateName } from './name-generator.ts'

test('names are what Docker takes for a name', () => {
  for (let i = 0; i < 500; i++) assert.match(generateName(() => false), /^[a-z]+_[a-z]+$/)
})

test('a taken name is not given again', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 500; i++) seen.add(generateName((name) => seen.has(name)))
  assert.equal(seen.size, 500)
})

test('when every plain name is taken a number is put behind', () => {
  assert.match(generateName((name) => !/\d/.test(name)), /^[a-z]+_[a-z]+\d+$/)
})
