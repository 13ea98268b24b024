import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { docker, run } from '../harness/command-line.ts'
import { dist } from '../harness/daemon.ts'
import { docker28Missing } from '../harness/docker-command.ts'

interface Recorded {
  readonly method: string
  /** Without version. */
  readonly path: string
  readonly query: Readonly<Record<string, readonly string[]>>
  readonly body: unknown
}

/** Parameters by name: empty ones are as good as none, and the order of filters says nothing. */
function normalise(parameters: URLSearchParams): Record<string, string[]> {
  const names = [...new Set(parameters.keys())].filter((name) => parameters.getAll(name).some((value) => value !== ''))
  return Object.fromEntries(names.map((name) => [name, parameters.getAll(name).map((value) => (value.startsWith('{') ? JSON.stringify(Object.entries(JSON.parse(value) as object).sort()) : value))]))
}

/** What the docker command takes out of Go maps, in another order each time: binds, variables, subnets. */
function inOneOrder(body: {
  readonly Env?: string[] | null
  readonly HostConfig?: { readonly Binds?: string[] | null }
  readonly IPAM?: { readonly Config?: { readonly Subnet?: string }[] | null }
}): unknown {
  body.Env?.sort()
  body.HostConfig?.Binds?.sort()
  body.IPAM?.Config?.sort((a, b) => ((a.Subnet ?? '') < (b.Subnet ?? '') ? -1 : 1))
  return body
}

/** Go sends every field of a structure; in an update or an endpoint, those that are empty say nothing. */
function saidOf(path: string, body: unknown): unknown {
  if (path.endsWith('/connect')) return { ...(body as object), EndpointConfig: said((body as { readonly EndpointConfig: object }).EndpointConfig) }
  if (!path.endsWith('/update')) return body
  return said(body as object)
}

function said(body: object): object {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== 0 && value !== ''))
}

/** What goes over the wire for the same words, from the docker command and from ours, to a daemon that only takes notes. */
describe('requests are those of the docker command', { skip: docker28Missing }, () => {
  let directory = ''
  let host = ''
  let server: Server
  let recorded: Recorded[] = []

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-requests-'))
    host = `unix://${join(directory, 's')}`
    writeFileSync(join(directory, 'env'), 'A=1\n#c\n  B=2\nENGINE_TEST_NONE\nHOME\nD=a b \n')
    writeFileSync(join(directory, 'labels'), 'l1=a\nl2\n# x\n')
    writeFileSync(join(directory, 'profile'), '{ "defaultAction": "SCMP_ACT_ALLOW" }')
    server = createServer((request, response) => {
      let text = ''
      request.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
      request.on('end', () => {
        const url = new URL(request.url ?? '', 'http://x')
        response.setHeader('Api-Version', '1.51')
        response.setHeader('Ostype', 'linux')
        if (url.pathname.endsWith('/_ping')) return response.end('OK')
        recorded.push({
          method: request.method ?? '',
          path: url.pathname.replace(/^\/v1\.\d+/, ''),
          query: normalise(url.searchParams),
          body: text.startsWith('{') ? saidOf(url.pathname, inOneOrder(JSON.parse(text))) : undefined,
        })
        response.setHeader('content-type', 'application/json')
        if (url.pathname.endsWith('/containers/create')) {
          response.statusCode = 201
          return response.end('{"Id":"abc","Warnings":[]}')
        }
        response.statusCode = 500
        return response.end('{"message":"only notes are taken here"}')
      })
    })
    await new Promise<void>((resolve) => server.listen(join(directory, 's'), resolve))
  })
  after(() => {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const record = async (words: readonly string[], by: 'docker' | 'engine'): Promise<Recorded[]> => {
    recorded = []
    if (by === 'docker') await docker(host, ...words)
    else await run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), '-H', host, ...words])
    return recorded
  }
  const same = async (...words: readonly string[]): Promise<void> => {
    const given = words.map((word) => word.replaceAll('@', directory))
    const theirs = await record(given, 'docker')
    assert.ok(theirs.length > 0, `docker ${given.join(' ')} sent nothing`)
    assert.deepEqual(await record(given, 'engine'), theirs, given.join(' '))
  }

  const creates: Readonly<Record<string, readonly string[]>> = {
    nothing: ['img'],
    'a command of its own': ['img', '--', 'x', '-it'],
    streams: ['-it', '-a', 'stdin', '-a', 'STDOUT', 'img'],
    'input only': ['-i', 'img'],
    environment: ['-e', 'A=1', '-e', 'HOME', '-e', 'ENGINE_TEST_NONE', '--env-file', '@/env', 'img'],
    labels: ['-l', 'x=y=z', '--label', 'w', '--label-file', '@/labels', '--annotation', 'an=no', 'img'],
    process: ['-w', '/wd', '-u', '1:2', '-h', 'hn', '--domainname', 'dn', '--entrypoint', '/e', '--stop-signal', 'USR1', '--stop-timeout', '3', '--init', '--group-add', 'g', 'img', 'cmd', '-x'],
    'no entrypoint': ['--entrypoint', '', '--init=false', 'img'],
    name: ['--name', 'nm', '--platform', 'linux/amd64', '--rm', 'img'],
    volumes: ['-v', '/a:/b:ro', '-v', 'vol:/v', '-v', '/anon', '-v', './rel:/rel', '--tmpfs', '/q:size=1m', '--tmpfs', '/r', '--volumes-from', 'vf', '--volume-driver', 'vd', '--read-only', '--shm-size', '1g', '--storage-opt', 'size=1', 'img'],
    mounts: [
      '--mount', 'type=bind,src=/x,dst=/y,ro,bind-propagation=rshared', '--mount', 'type=volume,src=v,dst=/z,volume-nocopy,volume-label=a=b,volume-driver=d,volume-opt=o=p,volume-subpath=s',
      '--mount', 'type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1777', '--mount', 'type=bind,src=/r,dst=/s,bind-recursive=writable,ro', '--mount', 'type=bind,src=./rel,dst=/u,bind-recursive=disabled', '--mount', 'target=/anon', 'img',
    ],
    ports: ['-p', '80', '-p', '1.2.3.4:81:82', '-p', '83-85:93-95/udp', '-p', '8000-8002:70', '-p', '[::1]:5:6', '-p', 'published=7,target=8,protocol=udp', '-P', '--expose', '99', '--expose', '100-101/udp', 'img'],
    'a network of the user': ['--network', 'mynet', '--network-alias', 'al', '--ip', '10.0.0.2', '--ip6', '::2', '--link-local-ip', '169.254.1.1', '--mac-address', '02:42:ac:11:00:02', '--link', 'l:m', 'img'],
    'two networks': ['--network', 'name=n1,alias=a1,ip=1.2.3.4,driver-opt=k=v,mac-address=02:42:ac:11:00:03,gw-priority=5', '--network', 'name=n2', 'img'],
    'no network': ['--network', 'none', 'img'],
    'the host network': ['--network', 'host', '--mac-address', '02:42:ac:11:00:02', 'img'],
    names: ['--dns', '1.1.1.1', '--dns-search', 's', '--dns-option', 'o', '--add-host', 'a:1.2.3.4', '--add-host', 'b=::1', '--add-host', 'c:host-gateway', 'img'],
    limits: [
      '-m', '64m', '--memory-swap', '-1', '--memory-reservation', '32m', '--memory-swappiness', '5', '--cpus', '0.5', '--cpuset-cpus', '0', '--cpuset-mems', '0', '--cpu-shares', '5', '--cpu-period', '3', '--cpu-quota', '4',
      '--cpu-rt-period', '5', '--cpu-rt-runtime', '6', '--pids-limit', '50', '--ulimit', 'nofile=10:20', '--ulimit', 'core=-1', '--oom-kill-disable', '--oom-score-adj', '3', '--cgroup-parent', 'cp', '--blkio-weight', '10',
      '--blkio-weight-device', '/dev/a:20', '--device-read-bps', '/dev/a:1m', '--device-write-iops', '/dev/b:5', 'img',
    ],
    isolation: [
      '--cap-add', 'net_admin', '--cap-add', 'CAP_SYS_TIME', '--cap-drop', 'all', '--privileged', '--security-opt', 'no-new-privileges', '--security-opt', 'seccomp=@/profile', '--security-opt', 'systempaths=unconfined', '--security-opt', 'label:disable',
      '--pid', 'host', '--ipc', 'shareable', '--uts', 'host', '--userns', 'host', '--cgroupns', 'host', '--sysctl', 'net.ipv4.ip_forward=1', '--runtime', 'rt', 'img',
    ],
    devices: ['--device', '/dev/null:/dev/n:r', '--device', '/dev/zero:rw', '--device', '/dev/full', '--device-cgroup-rule', 'c 1:3 r', '--device', 'vendor.com/class=x', 'img'],
    restart: ['--restart', 'on-failure:3', '--log-driver', 'json-file', '--log-opt', 'max-size=1m', 'img'],
    health: ['--health-cmd', 'x y', '--health-interval', '1m30s', '--health-timeout', '5s', '--health-start-period', '1s', '--health-retries', '3', '--health-start-interval', '2s', 'img'],
    'no health check': ['--no-healthcheck', '--restart', 'unless-stopped', 'img'],
  }
  for (const [what, words] of Object.entries(creates)) it(`create: ${what}`, () => same('create', ...words))

  const others: readonly string[] = [
    'ps -a -f name=x -f label=a=b --size -n 3', 'ps -l', 'images -a foo -f dangling=true', 'rm -fv a', 'stop -t 3 a', 'stop -s USR1 a', 'restart a', 'kill -s HUP a', 'top a -ef', 'port a', 'commit -m hi -a me -c ENV=1 a b:c', 'commit a',
    'commit --pause=false a localhost:5000/x', 'rmi -f a', 'rmi --no-prune a', 'tag a b:c', 'history a', 'events --since 10 -f type=container', 'inspect -s --type container a', 'container inspect a', 'volume create --name x',
    'volume create -o a=b --label c=d y', 'volume ls -f dangling=true', 'volume rm -f x', 'volume prune -f', 'volume prune -af --filter label=x', 'network ls -f name=x', 'network inspect -v x', 'wait x', 'pause x', 'unpause x', 'rename x y', 'container prune -f --filter until=1h', 'image prune -f',
    'image prune -af', 'version', 'info', 'pull x', 'pull -q --platform linux/arm64 r:5000/x:1', 'pull -a r:5000/x', 'image pull a/b/c:d', 'push r:5000/x:1', 'push a/b', 'push -a x', 'push --platform linux/arm/v7 x:1', 'login -u a -p b r.example:5000', 'search --limit 3 -f stars=3 -f is-official=true x', 'diff x', 'cp x:/a -', 'cp x:/a /tmp/nowhere/', 'cp -L x:/a -', 'cp -a /etc/hostname x:/b', 'cp /etc/hostname x:b/c',
    'network create x',
    'network create --subnet 10.0.0.0/24 --gateway 10.0.0.1 --ip-range 10.0.0.128/25 --aux-address a=10.0.0.5 --subnet fd00::/64 --ipv6 --ipv4=false --internal --attachable -o a=b --label c=d -d macvlan --ipam-opt e=f --scope local x',
    'network create --config-only --config-from y z', 'network connect n c', 'network connect --alias a,b --alias d --ip 1.2.3.4 --ip6 ::1 --link x:y --link-local-ip 169.254.1.1 --driver-opt a=b --gw-priority -5 n c', 'network disconnect -f n c', 'network prune -f --filter label=a',
    'stats --no-stream a', 'update -m 64m --memory-swap -1 --cpus 0.5 --pids-limit 7 --restart on-failure:3 a b', 'update --cpuset-cpus 0 a',
    'save -o @/x a b:1', 'save --platform linux/arm64/v8 -o @/x a', 'save --platform x86_64 -o @/x a', 'image save -o @/x --platform linux/amd64/v1 a', 'save a', 'load -i @/env', 'load -q -i @/env', 'load --platform linux/arm/7 -i @/env', 'image load -i @/env', 'export -o @/x a',
    'container export a', 'system df', 'system df -v',
  ]
  for (const line of others) it(line, () => same(...line.split(' ')))
})
