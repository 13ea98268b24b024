import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { openContext } from './context.ts'
import { tarDirectory } from './directory.ts'
import { Ignore, readIgnoreFile } from './dockerignore.ts'

describe('.dockerignore', () => {
  const excluded = (patterns: string, path: string): boolean => new Ignore(readIgnoreFile(patterns)).excludes(path)

  it('reads lines, comments and exceptions', () => {
    assert.deepEqual(readIgnoreFile('\uFEFF# c\n\n a/ \n!/b/../c\n #not\n/\n./x\n'), ['a', '!c', '#not', '/', 'x'])
  })

  it('matches names, parents, any depth and classes', () => {
    const cases: [string, string, boolean][] = [
      ['a', 'a', true], ['a', 'a/b/c', true], ['a', 'b/a', false], ['*/a', 'b/a', true], ['*/a', 'a', false], ['**/a', 'a', true], ['**/a', 'x/y/a/z', true],
      ['*.md', 'README.md', true], ['*.md', 'docs/README.md', false], ['**/*.md', 'docs/README.md', true], ['a?c', 'abc', true], ['a?c', 'a/c', false],
      ['[a-c]x', 'bx', true], ['[^a-c]x', 'bx', false], ['a\\*', 'a*', true], ['a\\*', 'ab', false], ['a/**', 'a', false], ['a/**', 'a/b', true], ['a.b', 'aXb', false],
      ['**', 'anything/at/all', true], ['a/**/z', 'a/z', true], ['a/**/z', 'a/b/c/z', true], ['/a', 'a', true],
    ]
    for (const [pattern, path, expected] of cases) assert.equal(excluded(pattern, path), expected, `${pattern} on ${path}`)
  })

  it('lets the last match decide', () => {
    assert.equal(excluded('*.md\n!README.md', 'README.md'), false)
    assert.equal(excluded('*.md\n!README*.md\nREADME-secret.md', 'README-secret.md'), true)
    assert.equal(excluded('a\n!a/keep', 'a/keep'), false)
    assert.equal(excluded('a\n!a/keep', 'a/other'), true)
  })

  it('knows where an exception may lead back', () => {
    const ignore = new Ignore(readIgnoreFile('a\n!a/b/c\n!**/*.txt'))
    assert.ok(ignore.mayReturn('a/b'))
    assert.ok(!new Ignore(readIgnoreFile('a\n!x/y')).mayReturn('a'))
  })

  it('refuses patterns that are none', () => {
    assert.throws(() => new Ignore(['[a']), { message: 'syntax error in pattern' })
  })
})

describe('a build context', () => {
  let root = ''
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'engine-cli-'))
    mkdirSync(join(root, 'context/sub/deep'), { recursive: true })
    writeFileSync(join(root, 'context/Dockerfile'), 'FROM scratch\n')
    writeFileSync(join(root, 'context/big'), Buffer.alloc(600_000, 7))
    writeFileSync(join(root, 'context/sub/deep', `${'long-'.repeat(30)}ü`), 'x')
    symlinkSync('big', join(root, 'context/link'))
    linkSync(join(root, 'context/big'), join(root, 'context/hard'))
    writeFileSync(join(root, 'context/secret'), 's')
    writeFileSync(join(root, 'other.Dockerfile'), 'FROM other\n')
  })
  after(() => rmSync(root, { recursive: true, force: true }))

  const gather = async (archive: Readable | undefined): Promise<Buffer> => Buffer.concat(await (archive ?? Readable.from([])).toArray() as Buffer[])
  const list = (tar: Buffer): string[] => execFileSync('tar', ['-tf', '-', '--quoting-style=literal'], { input: tar, encoding: 'utf8' }).trim().split('\n')

  it('is a tar that tar(1) reads, whole', async () => {
    const tar = Buffer.concat(await Array.fromAsync(tarDirectory(join(root, 'context'), new Ignore([]))))
    assert.deepEqual(list(tar), ['Dockerfile', 'big', 'hard', 'link', 'secret', 'sub/', 'sub/deep/', `sub/deep/${'long-'.repeat(30)}ü`])
    const out = join(root, 'out')
    mkdirSync(out)
    execFileSync('tar', ['-xf', '-', '-C', out], { input: tar })
    execFileSync('diff', ['-r', '--no-dereference', join(root, 'context'), out])
    assert.match(execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: tar, encoding: 'utf8' }), /^hrw-r--r-- 0\/0 +0 .* hard link to big$/m)
    assert.equal(tar.length % 512, 0)
  })

  it('leaves out what .dockerignore says, but what the daemon needs', async () => {
    writeFileSync(join(root, 'context/.dockerignore'), 'secret\nDockerfile\n.dockerignore\nsub\n!sub/deep\n')
    const { archive, dockerfile } = await openContext(join(root, 'context'), undefined, Readable.from([]))
    assert.equal(dockerfile, 'Dockerfile')
    assert.deepEqual(list(await gather(archive)), ['.dockerignore', 'Dockerfile', 'big', 'hard', 'link', 'sub/deep/', `sub/deep/${'long-'.repeat(30)}ü`])
    rmSync(join(root, 'context/.dockerignore'))
  })

  it('takes a Dockerfile from outside along, hidden from COPY', async () => {
    const { archive, dockerfile } = await openContext(join(root, 'context'), join(root, 'other.Dockerfile'), Readable.from([]))
    assert.match(dockerfile, /^\.dockerfile\.[0-9a-f]{20}$/)
    const tar = await gather(archive)
    assert.equal(execFileSync('tar', ['-xOf', '-', dockerfile], { input: tar, encoding: 'utf8' }), 'FROM other\n')
    assert.equal(execFileSync('tar', ['-xOf', '-', '.dockerignore'], { input: tar, encoding: 'utf8' }), `.dockerignore\n${dockerfile}\n`)
  })

  it('takes a Dockerfile or a tar from standard input', async () => {
    const alone = await openContext('-', undefined, Readable.from([Buffer.from('FROM scratch\n')]))
    assert.deepEqual(list(await gather(alone.archive)), ['Dockerfile'])
    const tar = Buffer.concat(await Array.fromAsync(tarDirectory(join(root, 'context'), new Ignore(['big', 'hard', 'sub']))))
    const sent = await openContext('-', undefined, Readable.from([tar.subarray(0, 100), tar.subarray(100)]))
    assert.deepEqual(await gather(sent.archive), tar)
    const beside = await openContext(join(root, 'context'), '-', Readable.from([Buffer.from('FROM stdin\n')]))
    assert.equal(execFileSync('tar', ['-xOf', '-', beside.dockerfile], { input: await gather(beside.archive), encoding: 'utf8' }), 'FROM stdin\n')
  })

  it("complains in docker's words", async () => {
    const none = Readable.from([])
    await assert.rejects(openContext(join(root, 'no'), undefined, none), { message: `unable to prepare context: path "${join(root, 'no')}" not found` })
    await assert.rejects(openContext(join(root, 'context'), join(root, 'no'), none), { message: `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${join(root, 'no')}: no such file or directory` })
    await assert.rejects(openContext('-', '-', none), { message: "invalid argument: can't use stdin for both build context and dockerfile" })
  })

  it('leaves addresses to the daemon', async () => {
    assert.deepEqual(await openContext('https://example.org/a.tar', undefined, Readable.from([])), { remote: 'https://example.org/a.tar', dockerfile: 'Dockerfile' })
  })
})
