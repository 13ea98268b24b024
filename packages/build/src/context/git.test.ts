import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseGitUrl } from './git.ts'

test('addresses of repositories are told from others', () => {
  const read = (text: string): string | undefined => {
    const git = parseGitUrl(text)
    return git && [git.url, git.ref, git.subdirectory].join(' ')
  }
  assert.equal(read('https://example.org/a.git'), 'https://example.org/a.git  ')
  assert.equal(read('https://example.org/a.git#v1:sub/dir'), 'https://example.org/a.git v1 sub/dir')
  assert.equal(read('https://example.org/a.git#:sub'), 'https://example.org/a.git  sub')
  assert.equal(read('https://example.org/a.git?branch=x&subdir=y'), 'https://example.org/a.git x y')
  assert.equal(read('git@example.org:a/b.git#main'), 'git@example.org:a/b.git main ')
  assert.equal(read('git://example.org/a'), 'git://example.org/a  ')
  assert.equal(read('ssh://git@example.org/a'), 'ssh://git@example.org/a  ')
  assert.equal(read('github.com/a/b#x'), 'https://github.com/a/b x ')
  for (const other of ['https://example.org/a.tar', 'a.git', './x@y:z/a', 'ext::sh -c x', 'file:///a.git', '/a.git']) assert.equal(read(other), undefined, other)
})
