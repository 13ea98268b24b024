import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compile, Row, typed } from './index.ts'

const data = {
  Name: 'web', Count: 3, On: true, Off: false, Empty: '', List: ['a', 'b', 'c'], Nested: { Deep: { Value: 7 } },
  Labels: { z: '1', a: '2' }, Items: [{ N: 1 }, { N: 2 }], Nothing: null,
}

function run(source: string, on: unknown = data): string {
  return compile(source)(on)
}

describe('templates', () => {
  it('give fields, variables and literals', () => {
    assert.equal(run('{{.Name}}-{{.Nested.Deep.Value}}-{{"x\\t"}}{{`raw\\n`}}{{12}}{{true}}'), 'web-7-x\traw\\n12true')
    assert.equal(run('{{$x := .Name}}{{$x}}{{$x = "other"}}{{$x}} {{$.Count}}'), 'webother 3')
    assert.equal(run('{{.Nothing}} {{.Missing}}'), '<no value> <no value>')
    assert.equal(run('{{.List}} {{.Labels}} {{.On}}'), '[a b c] map[a:2 z:1] true')
  })

  it('choose', () => {
    assert.equal(run('{{if .On}}yes{{else}}no{{end}}{{if .Off}}yes{{else if eq .Count 3}}three{{else}}no{{end}}{{if .Empty}}x{{end}}'), 'yesthree')
    assert.equal(run('{{with .Nested.Deep}}{{.Value}}{{end}}{{with .Nothing}}x{{else}}none{{end}}'), '7none')
    assert.equal(run('{{if and .On .Count}}a{{end}}{{if or .Off .Empty}}b{{end}}{{if not .Off}}c{{end}}'), 'ac')
    assert.equal(run('{{or .Empty "default"}} {{and .Name .Count}}'), 'default 3')
  })

  it('do not look at what cannot decide any more', () => {
    assert.equal(run('{{if and .Off (index .List 99)}}x{{else}}safe{{end}}'), 'safe')
    assert.equal(run('{{or .Name (index .List 99)}}'), 'web')
  })

  it('range over lists, maps (by key), numbers and nothing', () => {
    assert.equal(run('{{range .List}}<{{.}}>{{end}}{{range $i, $v := .List}}{{$i}}{{$v}}{{end}}'), '<a><b><c>0a1b2c')
    assert.equal(run('{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}{{range .Items}}{{.N}}{{$.Name}}{{end}}'), 'a=2;z=1;1web2web')
    assert.equal(run('{{range .Nothing}}x{{else}}empty{{end}}{{range $i, $_ := 3}}{{$i}}{{end}}'), 'empty012')
    assert.equal(run('{{range .List}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{if eq . "c"}}{{break}}{{end}}{{end}}'), 'ac')
  })

  it('trim space and leave comments out', () => {
    assert.equal(run('a  {{- .Name -}}  b {{/* no */}}c {{- /* no */ -}} d'), 'awebb cd')
  })

  it('call functions, in pipelines too', () => {
    assert.equal(run('{{upper .Name}} {{.Name | title | printf "%s-%5s|%-5s|" "x" "y"}} {{lower "ÄB"}}'), 'WEB x-    y|Web  | äb')
    assert.equal(run('{{printf "%s %d" "x"}} {{printf "%d" "x"}} {{printf "" 1}}'), 'x %!d(MISSING) %!d(string=x) %!(EXTRA int=1)')
    assert.equal(run('{{join .List ","}} {{len .List}} {{len .Name}} {{index .List 1}} {{index .Labels "z"}} {{index (split "x:y" ":") 1}}'), 'a,b,c 3 3 b 1 y')
    assert.equal(run('{{json .Items}} {{json .Name}} {{json .Nothing}} {{json "<&>"}}'), '[{"N":1},{"N":2}] "web" null "<&>"')
    assert.equal(run('{{println "a" 1}}{{print 1 2 "x" 3}}{{printf "%d %v %q %t %05d %x %.2f %%" 5 .On "s" true 42 255 1.5}}'), 'a 1\n1 2x35 true "s" true 00042 ff 1.50 %')
    assert.equal(run('{{eq .Count 1 2 3}} {{ne .Name "web"}} {{lt 1 2}} {{ge "b" "a"}} {{slice .Name 1}} {{truncate .Name 2}} {{pad .Name 1 2}}|'), 'true false true true eb we  web  |')
  })

  it('say where and why they cannot be read', () => {
    const cases: [string, string][] = [
      ['{{foo}}', 'function "foo" not defined'], ['{{', 'unclosed action'], ['{{.A', 'unclosed action'], ['{{if}}', 'missing value for if'],
      ['{{if .A}}', 'unexpected EOF'], ['{{end}}', 'unexpected {{end}}'], ['{{"a', 'unterminated quoted string'], ['{{(.A}}', 'unclosed left paren'],
    ]
    for (const [source, why] of cases) assert.throws(() => compile(source), { message: `template: :1: ${why}` }, source)
  })

  it('say where and why they fail', () => {
    assert.throws(() => run('{{index .List 9}}'), { message: 'template: :1:2: executing "" at <index .List 9>: error calling index: index out of range: 9' })
    assert.throws(() => run('{{.Name.Foo}}'), { message: 'template: :1:7: executing "" at <.Name.Foo>: can\'t evaluate field Foo in type string' })
    assert.throws(() => run('x\n{{lt 1 "a"}}'), { message: 'template: :2:2: executing "" at <lt 1 "a">: error calling lt: incompatible types for comparison' })
    assert.throws(() => run('{{$nope}}'), /undefined variable "\$nope"/)
  })
})

describe('rows of a listing', () => {
  const row = new Row('*formatter.ContainerContext', { ID: 'abc', Names: () => 'web', Label: (name: string) => `<${name}>` })

  it('have fields and methods', () => {
    assert.equal(run('{{.ID}} {{.Names}} {{.Label "x"}} {{json .}}', row), 'abc web <x> {"ID":"abc","Names":"web"}')
  })

  it('name their type when a field is none', () => {
    assert.throws(() => run('{{.Foo}}', row), { message: 'template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo in type *formatter.ContainerContext' })
  })
})

describe('answers of inspect', () => {
  const answer = typed({
    Id: 'i', State: { Status: 'running', Pid: 7 }, Config: { Env: null, Labels: { a: 'b' }, Cmd: ['x'], Volumes: null },
    HostConfig: { NanoCpus: 5, PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } }, Mounts: [],
  })

  it('print as the Go types behind them', () => {
    assert.equal(run('{{.State}} {{.Config.Env}} {{.Config.Volumes}} {{.Config.Labels}} {{.HostConfig.PortBindings}} {{.Mounts}}', answer), '{running 7 <nil>} [] map[] map[a:b] map[80/tcp:[{ 8080}]] []')
  })

  it('have the fields that JSON leaves out', () => {
    assert.equal(run('{{.State.Health}} {{if .State.Health}}x{{else}}none{{end}} {{.HostConfig.Init}} {{.Config.StopSignal}}|{{index .Config.Labels "no"}}|', answer), '<nil> none <nil> ||')
  })

  it('know fields by their Go names', () => {
    assert.equal(run('{{.ID}} {{.HostConfig.NanoCPUs}} {{(index (index .HostConfig.PortBindings "80/tcp") 0).HostIP}}|', answer), 'i 5 |')
  })

  it('fail for what is not there', () => {
    assert.throws(() => run('{{.Foo}}', answer), { message: 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"' })
    assert.throws(() => run('{{.State.Health.Status}}', answer), { message: 'template: :1:8: executing "" at <.State.Health.Status>: map has no entry for key "Health"' })
    assert.throws(() => run('{{.id}}', answer), /map has no entry for key "id"/)
  })

  it('keep their JSON', () => {
    assert.equal(run('{{json .State}}', answer), '{"Status":"running","Pid":7}')
  })
})
