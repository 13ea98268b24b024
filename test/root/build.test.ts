import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { build as buildBy, post as postTo, tarOf, type Answer, type Built } from '../harness/build.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'

let daemon: TestDaemon

before(async () => {
  daemon = await startDaemon()
  const imported = await post('/images/create?fromSrc=-&repo=base', busyboxTar())
  assert.equal(imported.status, 200, imported.text)
})
after(async () => daemon[Symbol.asyncDispose]())

const post = (path: string, body: Buffer, enough?: (text: string) => boolean): Promise<Answer> => postTo(daemon, path, body, enough)
const build = (dockerfile: string, files?: Readonly<Record<string, string>>, query?: string): Promise<Built> => buildBy(daemon, dockerfile, files, query)

async function containers(): Promise<unknown[]> {
  return (await daemon.api('GET', '/containers/json?all=1')).body as unknown[]
}

describe('a build', () => {
  test('runs commands on the image and keeps what they change', async () => {
    const { text, id, lines } = await build('FROM base\nENV who=world\nWORKDIR /w\nCOPY f .\nRUN echo "hello $who" && cat f && echo oh >&2 && rm /etc/group && echo made > made\nUSER nobody\nRUN id -u; cat made; ls /etc/group', { f: 'content\n' }, 't=built')
    assert.equal(lines.at(-1)?.['error'], "The command '/bin/sh -c id -u; cat made; ls /etc/group' returned a non-zero code: 1")
    assert.equal(id, '')
    assert.equal(text, `Step 1/7 : FROM base
 ---> <id>
Step 2/7 : ENV who=world
 ---> Running in <id>
 ---> Removed intermediate container <id>
 ---> <id>
Step 3/7 : WORKDIR /w
 ---> Running in <id>
 ---> Removed intermediate container <id>
 ---> <id>
Step 4/7 : COPY f .
 ---> <id>
Step 5/7 : RUN echo "hello $who" && cat f && echo oh >&2 && rm /etc/group && echo made > made
 ---> Running in <id>
hello world
content
\u001b[91moh
\u001b[0m ---> Removed intermediate container <id>
 ---> <id>
Step 6/7 : USER nobody
 ---> Running in <id>
 ---> Removed intermediate container <id>
 ---> <id>
Step 7/7 : RUN id -u; cat made; ls /etc/group
 ---> Running in <id>
65534
made
\u001b[91mls: /etc/group: No such file or directory
\u001b[0m`)
    // As with Docker, the container of a step that failed stays.
    const [left, ...more] = (await containers()) as { Id: string; Command: string; State: string }[]
    assert.deepEqual([left?.State, more.length], ['exited', 0])
    await daemon.api('DELETE', `/containers/${left?.Id}`)
  })

  test('takes from the cache what did not change', async () => {
    const file = 'FROM base\nRUN echo once > /once\nCOPY f /f\nRUN cat /f > /g'
    const first = await build(file, { f: '1' }, 't=cached:1')
    const second = await build(file, { f: '1' })
    assert.equal(second.id, first.id)
    assert.equal(second.text.match(/Using cache/g)?.length, 3)
    const third = await build(file, { f: '2' })
    assert.equal(third.text.match(/Using cache/g)?.length, 1)
    assert.match(first.text, /Successfully built <id>\nSuccessfully tagged cached:1\n$/)
    const { body } = await daemon.api('GET', '/images/cached:1/history')
    const history = body as { CreatedBy: string; Size: number }[]
    assert.deepEqual(history.map(({ CreatedBy }) => CreatedBy.replace(/[0-9a-f]{64}/, '<digest>')).slice(0, 3), [
      '/bin/sh -c cat /f > /g', '/bin/sh -c #(nop) COPY file:<digest> in /f ', '/bin/sh -c echo once > /once',
    ])
    assert.deepEqual(history.map(({ Size }) => Size).slice(0, 3), [1, 1, 5])
    assert.notEqual((await build(file, { f: '1' }, 'nocache=1')).id, first.id)
  })

  test('of several stages copies from one to the other', async () => {
    const { id, text } = await build('FROM base AS tools\nRUN mkdir -p /out && echo tool > /out/tool && chown -R 5:6 /out\nFROM base AS unused\nRUN false\nFROM base\nCOPY --from=tools /out /opt\nRUN stat -c "%u:%g %n" /opt/tool; cat /opt/tool')
    assert.notEqual(id, '')
    assert.match(text, /\n5:6 \/opt\/tool\ntool\n/)
  })

  test('runs scripts that stand in the Dockerfile', async () => {
    const { text, error } = await build('FROM base\nRUN <<EOF\necho one\necho two\nEOF\nRUN <<X\n#!/bin/cat\nthe script\nX\nRUN ls /dev/pipes; cat <<A\n  kept\nA\n')
    assert.equal(error, undefined)
    assert.match(text, /\none\ntwo\n --->/)
    assert.match(text, /\n#!\/bin\/cat\nthe script\n --->/)
    assert.match(text, /ls: \/dev\/pipes: No such file or directory/)
    assert.match(text, / {2}kept\n/)
  })

  test('gives commands its arguments, labels and limits', async () => {
    const query = `buildargs=${encodeURIComponent('{"A":"given","HTTP_PROXY":"p"}')}&labels=${encodeURIComponent('{"l":"v"}')}&memory=67108864&networkmode=none&extrahosts=other:1.2.3.4`
    const { text, id } = await build('FROM base\nARG A=1\nRUN echo $A $HTTP_PROXY; ls /sys/class/net; grep other /etc/hosts', {}, query)
    assert.match(text, /\ngiven p\nlo\n1\.2\.3\.4\s+other\n/)
    const inspected = (await daemon.api('GET', `/images/${id}/json`)).body as { Config: { Labels: unknown; Env: unknown } }
    assert.deepEqual(inspected.Config.Labels, { l: 'v' })
  })

  test('says why a command could not be run', async () => {
    const { error } = await build('FROM base\nRUN ["nope"]', {}, 'forcerm=1')
    assert.match((error as { message: string }).message, /exec: "nope": executable file not found in \$PATH/)
    assert.deepEqual((await build('FROM base\nRUN exit 3', {}, 'forcerm=1')).error, { code: 3, message: "The command '/bin/sh -c exit 3' returned a non-zero code: 3" })
    assert.match((await build('FROM base\nUSER nobodyelse\nRUN true', {}, 'forcerm=1')).text, /Step 3\/3/)
    assert.match(((await build('FROM localhost:1/nosuch')).error as { message: string }).message, /localhost:1.*(refused|connect)/)
    assert.deepEqual(await containers(), [])
  })

  test('answers with a status what it can tell before it begins', async () => {
    const answer = await post('/build', tarOf({ Dockerfile: 'FROM base\nFOO' }))
    assert.deepEqual([answer.status, JSON.parse(answer.text)], [400, { message: 'dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)' }])
    assert.equal((await post('/build', Buffer.from('no archive'))).status, 400)
    assert.deepEqual(JSON.parse((await post('/build?t=Bad', tarOf({ Dockerfile: 'FROM base' }))).text), { message: 'invalid reference format: repository name (library/Bad) must be lowercase' })
  })

  test('that nobody waits for is ended and leaves nothing', async () => {
    const marker = 'sleep 98765'
    await post('/build', tarOf({ Dockerfile: `FROM base\nRUN echo begun; ${marker}` }), (text) => text.includes('begun'))
    const contexts = (): string[] => readdirSync(join(daemon.dataRoot, 'builds'))
    for (let i = 0; i < 100 && ((await containers()).length > 0 || contexts().length > 0); i++) await sleep(50)
    assert.deepEqual(await containers(), [])
    assert.ok(!running(marker))
    assert.deepEqual(contexts(), [])
    assert.ok(!readFileSync('/proc/mounts', 'utf8').split('\n').some((line) => line.startsWith('overlay') && line.includes(join(daemon.dataRoot, 'overlay2'))))
  })
})

/** Whether a process with this text in its command line is there. */
function running(text: string): boolean {
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid) || !existsSync(`/proc/${pid}/cmdline`)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text)
    } catch {
      return false
    }
  })
}
