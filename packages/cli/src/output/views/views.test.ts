import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FormatError, render, usesField } from '../format.ts'
import { showLedger, type LedgerEntry } from '../ledger.ts'
import { containerView, showPorts, type ContainerSummary } from './container.ts'
import { namesOf } from './image.ts'
import { naturalOrder } from './labels.ts'

const container: ContainerSummary = {
  Id: 'f22478ff68df081e1a316c6e0558f9df485b7390c2029a551a99342119bb54d4', Names: ['/other/link', '/web'], Image: 'debian:base', ImageID: 'sha256:00', Command: 'sh -c "sleep 1000; true"',
  Created: Math.trunc(Date.now() / 1000) - 200, Ports: [], Labels: { b: '<2>', a: '1' }, State: 'running', Status: 'Up 3 minutes', SizeRw: 2, SizeRootFs: 21_500_000,
  NetworkSettings: { Networks: { bridge: {} } }, Mounts: [{ Name: 'd3b0c46d0171c79fb07b', Source: '/x', Driver: 'local' }],
}

describe('a listing of containers', () => {
  it("has docker's columns", async () => {
    assert.equal(await render(containerView, [container], {}), [
      'CONTAINER ID   IMAGE         COMMAND                   CREATED         STATUS         PORTS     NAMES',
      'f22478ff68df   debian:base   "sh -c \\"sleep 1000; …"   3 minutes ago   Up 3 minutes             web', '',
    ].join('\n'))
    assert.match(await render(containerView, [container], { extra: ['Size'] }), /web {7}2B \(virtual 21\.5MB\)\n$/)
  })

  it('is cut to ids, or by a template', async () => {
    assert.equal(await render(containerView, [container], { quiet: true }), 'f22478ff68df\n')
    assert.equal(await render(containerView, [container], { quiet: true, truncate: false }), `${container.Id}\n`)
    assert.equal(await render(containerView, [container], { format: '{{.Names}}\\t{{.Label "a"}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}' }), 'web\t1|d3b0c46d0171c7…|1|bridge\n')
    assert.equal(await render(containerView, [container], { format: 'table {{.ID}}\\t{{upper .Names}}\\t{{.Label "a"}}' }), 'CONTAINER ID   NAMES     a\nf22478ff68df   WEB       1\n')
    const json = await render(containerView, [container], { format: 'json' })
    assert.match(json, /"Labels":"a=1,b=\\u003c2\\u003e"/)
    assert.deepEqual(Object.keys(JSON.parse(json) as object), ['Command', 'CreatedAt', 'ID', 'Image', 'Labels', 'LocalVolumes', 'Mounts', 'Names', 'Networks', 'Platform', 'Ports', 'RunningFor', 'Size', 'State', 'Status'])
  })

  it('says what is wrong with a template', async () => {
    await assert.rejects(render(containerView, [container], { format: '{{foo}}' }), new FormatError('failed to parse template: template: :1: function "foo" not defined'))
    await assert.rejects(render(containerView, [container], { format: '{{.Foo}}' }), new FormatError('failed to execute template: template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo in type *formatter.ContainerContext'))
  })

  it('notices that a template asks for sizes', async () => {
    assert.ok(await usesField(containerView, '{{if true}}{{.Size}}{{end}}', 'Size'))
    assert.ok(await usesField(containerView, '{{json .}}', 'Size'))
    assert.ok(!(await usesField(containerView, '{{.ID}} Size', 'Size')))
    assert.ok(!(await usesField(containerView, 'json', 'Size')))
  })
})

describe('ports', () => {
  it('are joined to ranges where they map alike', () => {
    const port = (IP: string, PrivatePort: number, PublicPort: number, Type = 'tcp'): { IP: string; PrivatePort: number; PublicPort: number; Type: string } => ({ IP, PrivatePort, PublicPort, Type })
    assert.equal(showPorts([{ PrivatePort: 5, Type: 'tcp' }, port('0.0.0.0', 80, 8099), port('::', 80, 8099), port('0.0.0.0', 8098, 8098, 'udp')]), '5/tcp, 0.0.0.0:8098->8098/udp, 0.0.0.0:8099->80/tcp, [::]:8099->80/tcp')
    assert.equal(showPorts([7, 8, 9, 11].map((PrivatePort) => ({ PrivatePort, Type: 'tcp' }))), '7-9/tcp, 11/tcp')
    assert.equal(showPorts([port('1.2.3.4', 90, 90), port('1.2.3.4', 91, 91)]), '1.2.3.4:90-91->90-91/tcp')
  })
})

describe('images', () => {
  const names = (RepoTags: string[] | null, RepoDigests: string[] | null, digests = false): string[] => namesOf({ Id: '', RepoTags, RepoDigests, Created: 0, Size: 0 }, digests).map(({ repository, tag, digest }) => `${repository} ${tag} ${digest}`)

  it('have a line per name', () => {
    assert.deepEqual(names(['a:1', 'a:2', 'h:5000/b:x'], null), ['a 1 <none>', 'a 2 <none>', 'h:5000/b x <none>'])
    assert.deepEqual(names(null, null), ['<none> <none> <none>'])
    assert.deepEqual(names([], ['a@sha256:00']), ['a <none> <none>'])
    assert.deepEqual(names(['a:1'], ['a@sha256:00'], true), ['a 1 sha256:00'])
  })
})

describe('names', () => {
  it('are sorted as people count', () => {
    assert.deepEqual(['a10', 'a9', '4b', '02929', '5c', 'b'].sort(naturalOrder), ['4b', '5c', '02929', 'a9', 'a10', 'b'])
  })
})

describe('the ledger', () => {
  const entry = (at: number, more: Partial<LedgerEntry>): LedgerEntry => ({ At: String(1_795_456_435_000_000_000n + BigInt(at)), Process: 'engined', Cause: 'POST /containers/create', CauseID: '1', Call: 'mkdir', Args: { path: '/x y' }, Result: 0, Nanoseconds: 1500, ...more })

  it('is grouped by cause, in the order of time', () => {
    const text = showLedger([
      entry(0, {}),
      entry(3_500_000, { Process: 'init', Cause: 'POST /containers/x/start', CauseID: '2', Call: 'mount', Args: { target: '/proc', flags: 14 }, Nanoseconds: 2_000_000 }),
      entry(2_000_000, { Process: 'shim', Cause: 'POST /containers/x/start', CauseID: '2', Call: 'clone3', Args: {}, Result: -1, Errno: 'EPERM' }),
    ])
    const lines = text.split('\n').map((line) => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'TIME'))
    assert.deepEqual(lines, [
      'POST /containers/create  TIME.000  (1 action, 0.00 ms in the kernel)',
      '  +0.00 ms  engined  mkdir(path="/x y")  = 0  (2 µs)',
      '',
      'POST /containers/x/start  TIME.002  (2 actions, 1 failed, 2.00 ms in the kernel)',
      '  +0.00 ms  shim  clone3()                       = -1 EPERM  (2 µs)',
      '  +1.50 ms  init  mount(target=/proc, flags=14)  = 0  (2.00 ms)',
      '',
    ])
  })

  it('says when it is empty', () => {
    assert.equal(showLedger([]), 'No kernel actions are recorded.\n')
  })
})
