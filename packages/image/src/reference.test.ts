import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { familiarName, fullName, parseReference, parseRepositoryTag, withDefaultTag } from './reference.ts'

const hex = 'a'.repeat(64)

test('names are completed and shortened as Docker does', () => {
  const table: readonly (readonly [string, string, string])[] = [
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['foo/bar', 'docker.io/foo/bar:latest', 'foo/bar:latest'],
    ['library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['localhost/x', 'localhost/x:latest', 'localhost/x:latest'],
    ['localhost:5000/x/y:Z.1_-', 'localhost:5000/x/y:Z.1_-', 'localhost:5000/x/y:Z.1_-'],
    ['ghcr.io/a/b', 'ghcr.io/a/b:latest', 'ghcr.io/a/b:latest'],
    ['UPPER/b', 'UPPER/b:latest', 'UPPER/b:latest'],
    ['[::1]:5000/x', '[::1]:5000/x:latest', '[::1]:5000/x:latest'],
    ['a__b/c---d', 'docker.io/a__b/c---d:latest', 'a__b/c---d:latest'],
    [`busybox@sha256:${hex}`, `docker.io/library/busybox@sha256:${hex}`, `busybox@sha256:${hex}`],
    [`busybox:1@sha256:${hex}`, `docker.io/library/busybox:1@sha256:${hex}`, `busybox:1@sha256:${hex}`],
    ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ]
  for (const [text, full, familiar] of table) {
    const reference = withDefaultTag(parseReference(text))
    assert.equal(fullName(reference), full, text)
    assert.equal(familiarName(reference), familiar, text)
  }
})

test('errors have the texts of Docker', () => {
  const table: readonly (readonly [string, string])[] = [
    ['', 'invalid reference format'],
    [':x', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['../a', 'invalid reference format'],
    ['a:', 'invalid reference format'],
    [`a:${'t'.repeat(129)}`, 'invalid reference format'],
    ['a@sha256:abc', 'invalid reference format'],
    ['IMG', 'invalid reference format: repository name (library/IMG) must be lowercase'],
    ['foo/IMG:tag', 'invalid reference format: repository name (foo/IMG) must be lowercase'],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    ['a'.repeat(250), 'repository name must not be more than 255 characters'],
    [`a@sha512:${hex}`, 'invalid checksum digest length'],
  ]
  for (const [text, message] of table) assert.throws(() => parseReference(text), { code: 'invalid-argument', message }, text)
  assert.throws(() => parseRepositoryTag('a', 'x@@'), { message: 'invalid tag format' })
})

test('what was parsed is parsed the same again', () => {
  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
  const path = fc.array(fc.tuple(word, fc.constantFrom('.', '_', '__', '-', '--'), word).map((parts) => parts.join('')), { minLength: 1, maxLength: 3 })
  const domain = fc.constantFrom('', 'docker.io/', 'localhost:5000/', 'r.example.com/')
  fc.assert(
    fc.property(domain, path, fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/)), (host, components, tag) => {
      const reference = parseReference(`${host}${components.join('/')}${tag === null ? '' : `:${tag}`}`)
      assert.deepEqual(parseReference(familiarName(reference)), reference)
      assert.deepEqual(parseReference(fullName(reference)), reference)
    }),
    { numRuns: 300 },
  )
})
