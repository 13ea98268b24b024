import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { docker, engineOk, run, type Ended } from '../harness/command-line.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { docker28Missing } from '../harness/docker-command.ts'
import { busyboxTar } from '../harness/images.ts'

/** Both commands on one daemon: what one prints, the other prints, to the byte, but for the command's own name. */
describe('output is that of the docker command', { skip: docker28Missing }, () => {
  let daemon: TestDaemon
  let directory = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-cli-output-'))
    daemon = await startDaemon()
    writeFileSync(join(directory, 'busybox.tar'), busyboxTar())
    await engineOk(daemon.host, 'import', '-c', 'CMD ["sh"]', '-c', 'ENV PATH=/bin', '-c', 'LABEL k="<v>"', '-m', 'imported', join(directory, 'busybox.tar'), 'busybox')
    await engineOk(daemon.host, 'tag', 'busybox', 'localhost:5000/me/box:1')
    await engineOk(daemon.host, 'run', '-d', '--name', 'web', '-l', 'a=b', '-l', 'c=<&>', '-v', 'data:/data', '--network', 'none', 'busybox', 'sh', '-c', 'sleep 1000; echo never')
    await engineOk(daemon.host, 'create', '--name', 'idle', '--network', 'none', 'busybox')
  })
  after(async () => {
    rmSync(directory, { recursive: true, force: true })
    await daemon?.[Symbol.asyncDispose]()
  })

  /** The docker command's words with our name in them. */
  const renamed = ({ status, stdout, stderr }: Ended): Ended => ({
    status,
    stdout,
    stderr: stderr
      .replace(/^DEPRECATED: .*?\n\n/s, '')
      .replace(/^docker: unknown command: docker/m, 'engine: unknown command: engine')
      .replace(/^docker:/gm, 'engine:')
      .replace(/'docker /g, "'engine ")
      .replace(/^Usage: {2}docker/gm, 'Usage:  engine')
      // Two slips of docker's, which has three words for the same pointer.
      .replace(/^(See|SRun) '/gm, "Run '"),
  })

  /** JSON is compared as what it says: docker writes some of it anew, with fields in an order of its own. Tags of an image come out of a Go map. */
  const comparable = (ended: Ended, words: readonly string[]): unknown => {
    if (words[0] === 'images') return { ...ended, stdout: ended.stdout.split('\n').sort() }
    try {
      return { ...ended, stdout: JSON.parse(ended.stdout) as unknown }
    } catch {
      return ended
    }
  }

  const same = async (words: readonly string[]): Promise<void> => {
    for (let tries = 1; ; tries++) {
      const [theirs, ours] = [renamed(await docker(daemon.host, ...words)), await run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), '-H', daemon.host, ...words])]
      try {
        return assert.deepEqual(comparable(ours, words), comparable(theirs, words))
      } catch (error) {
        // Between the two a second may have passed, and with it "3 seconds ago".
        if (tries === 3) throw error
      }
    }
  }

  const lines: readonly (string | readonly string[])[] = [
    'ps', 'ps -a', 'ps -aq', 'ps -as', 'ps --no-trunc', 'ps -l', 'ps -an1 -q', 'ps -aqf name=idle', 'ps -f label=a=b', ['ps', '--format', '{{json .}}'], ['ps', '--format', 'json'], ['ps', '-a', '--format', 'raw'],
    ['ps', '--format', 'table {{.ID}}\\t{{upper .Names}}\\t{{.Label "a"}}'], ['ps', '--format', '{{.Names}}|{{.Command}}|{{.CreatedAt}}|{{.Networks}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Size}}|{{.State}}|{{.Image}}'],
    ['ps', '--format', '{{foo}}'], ['ps', '--format', '{{.Foo}}'], ['ps', '--format', '{{'], ['ps', '--format', '{{if .ID}}'], ['ps', '--format', '{{index .Names 99}}'],
    'images', 'images -q', 'images --digests', 'images --no-trunc', 'images busybox', 'images nosuch', ['images', '--format', '{{.Repository}} {{.Tag}} {{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.Size}} {{.Digest}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}}', 'busybox'], ['images', '--format', 'table {{.Repository}}\\t{{.Digest}}'], 'image ls -q busybox:latest',
    'history busybox', 'history --no-trunc busybox', 'history -q busybox', 'history -H=false busybox', 'history --format json busybox',
    'inspect web', 'inspect web busybox', 'inspect -s web', 'container inspect idle', 'image inspect busybox', 'inspect --type image web', 'inspect nosuch', 'volume inspect data', 'volume inspect nosuch', 'network inspect none', 'network inspect nosuch', 'image inspect nosuch',
    ...[
      '{{.ID}} {{.Name}}', '{{.Id}}', '{{.State}}', '{{json .State}}', '{{json .Config}}', '{{.Config.Labels}} {{.Config.Env}} {{.Config.Cmd}} {{.Config.Entrypoint}}', '{{index .Config.Labels "a"}} {{index .Config.Labels "no"}}|{{.Config.Labels.no}}',
      '{{if .State.Health}}x{{else}}y{{end}} {{.State.Health}}', '{{.State.Health.Status}}', '{{range .Mounts}}{{.Type}}:{{.Destination}} {{end}}', '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}};{{end}}',
      '{{.HostConfig.RestartPolicy}} {{.HostConfig.PortBindings}} {{.HostConfig.Ulimits}} {{.HostConfig.LogConfig}} {{.HostConfig.Init}}', '{{.GraphDriver.Data.MergedDir}}', '{{join .Config.Cmd "+"}} {{len .Config.Cmd}}', '{{slice .Id 0 12}}',
      '{{.Foo}}', '{{.id}}', '{{foo}}', '{{.Config', '{{eq .State.Running true}} {{lt 1 2}} {{printf "%d %v %q" .State.Pid .State.Paused .Name}}', '{{println "a" 1}}{{print "a" "b" 1 2}}',
    ].map((format) => ['inspect', '-f', format, 'web']),
    ['inspect', '-f', '{{.Config.Env}} {{.RootFS.Layers}} {{.Os}}/{{.Architecture}} {{.Size}} {{.RepoTags}} {{.Parent}}|{{.Variant}}', 'busybox'], 'inspect -f json web', 'inspect -f {{.Id}} web nosuch busybox',
    'volume ls', 'volume ls -q', 'volume ls --format json', 'network ls', 'network ls --no-trunc', 'network ls -q', 'network ls --format json', 'network ls -f driver=null', 'port web', 'port web 80', 'port web x/y', 'port web 99999', 'port nosuch', 'top web', 'top web -o pid,comm',
    ['version', '-f', '{{.Server.Version}} {{.Server.APIVersion}}'], ['info', '-f', '{{.ID}} {{.Images}} {{.Driver}}'],
    'run', 'run --foo busybox', 'run -Z busybox', 'run --name', 'run -m abc busybox', 'run -p 99999:80 busybox', 'run --pull foo busybox', 'run --pull never nosuch', 'run -d -a stdout busybox', 'run --rm --restart always busybox', 'run Foo',
    ['run', ''], 'run --name web busybox', 'create', 'create --name a/b busybox', 'rm', 'rm nosuch', 'rm web', ['rm', ''], 'rmi nosuch', 'exec', 'exec web', 'exec nosuch ls', 'exec idle ls', 'start', 'start nosuch', 'start -a web idle', 'stop', 'stop -t x web',
    'stop nosuch', 'kill nosuch', 'kill idle', 'kill -s FOO web', 'pause nosuch', 'unpause web', 'rename web', 'rename nosuch other', 'rename web idle', 'wait nosuch', 'logs', 'logs nosuch', 'logs a b', 'logs --since x web', 'attach nosuch', 'attach idle', 'top nosuch', 'tag',
    'tag nosuch a:b', 'tag busybox UPPER', 'commit', 'commit nosuch', 'commit web UPPER', 'history', 'history nosuch', 'import /nosuch', 'ps foo', 'ps --foo', 'ps -f foo', 'ps -n x', 'ps -f foo=bar', 'images a b', 'events x', 'events --since foo', 'foo', 'container foo', 'image foo',
    '--foo', '-x ps', 'help foo', 'volume create a b', 'volume rm nosuch', 'volume rm -f nosuch', 'container prune', 'image prune', 'build /nosuch', 'build -f /nosuch .',
    'system df', 'system df -v', 'system df --format json', ['system', 'df', '-v', '--format', '{{json .Volumes}}{{json .BuildCache}}'], ['system', 'df', '--format', 'table {{.Type}}\\t{{.Reclaimable}}'], ['system', 'df', '--format', '{{.Foo}}'], ['system', 'df', '-v', '--format', '{{.Type}}'],
    ['system', 'df', '-v', '--format', '{{range .Volumes}}{{.Name}} {{.Links}} {{.Size}}{{end}}|{{range .Containers}}{{.ID}} {{.Size}}{{end}}|{{range .Images}}{{.Repository}} {{.UniqueSize}}{{end}}'], 'save', 'save nosuch', 'save -o /nosuch/x busybox', 'save -o /tmp busybox',
    'save -o /dev/null busybox', 'save --platform a/b/c/d busybox', 'save --platform foo busybox', ['save', '--platform', 'a b', 'busybox'], 'load x', 'load -i /nosuch', 'load --platform x/y/z/w -i /etc/hostname', 'export', 'export nosuch', 'export -o /nosuch/x web', 'export -o /tmp web',
  ]
  for (const line of lines) {
    const words = typeof line === 'string' ? line.split(' ') : line
    it(words.map((word) => (/^[\w./:=,@+-]+$/.test(word) ? word : `'${word}'`)).join(' '), () => same(words))
  }
})
