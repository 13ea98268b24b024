import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostPlatform, type ImageConfig } from '@engine/image'
import { checkDockerfile, showFinding, type CheckFacts } from './check.ts'
import { asksForChecks } from './report.ts'

const config = (more: object = {}): ImageConfig => ({ architecture: hostPlatform().architecture, os: 'linux', config: { Env: ['PATH=/bin', 'FROM_BASE=1'], ...more }, rootfs: { type: 'layers', diff_ids: [] } })

const facts: CheckFacts = {
  given: {}, platform: '', target: '', ignore: ['ignored', '*.log'],
  baseOf: (image) => {
    if (image === 'unknown') return undefined
    if (image === 'foreign') return { ...config(), architecture: 'mips' }
    return config({ shelled: { Shell: ['/bin/bash', '-c'] }, triggering: { OnBuild: ['ENV TRIGGERED=1', 'WORKDIR rel', 'LABEL x=$NOPE'] } }[image])
  },
}

const find = (dockerfile: string, more: Partial<CheckFacts> = {}): string[] => checkDockerfile(dockerfile, { ...facts, ...more }).findings.map((finding) => showFinding(finding, 'D'))

/** A Dockerfile with the mistake, what is said of it, and one without. */
const rules: readonly (readonly [bad: string, said: string, good: string])[] = [
  ['FROM a\nrun x\nRUN y', "D:2: ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase)", 'from a\nrun x'],
  ['# check=experimental=CopyIgnoredFile\nFROM a\nCOPY ./ignored other /', 'D:3: CopyIgnoredFile: Attempting to Copy file "ignored" that is excluded by .dockerignore', 'FROM a\nCOPY ignored /'],
  ['FROM foreign', `D:1: InvalidBaseImagePlatform: Base image foreign was pulled with platform "linux/mips", expected "linux/${hostPlatform().architecture}" for current build`, 'FROM --platform=linux/mips foreign AS for-mips'],
  ['FROM a\nEXPOSE 127.0.0.1:80:80', "D:2: ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'", 'FROM a\nEXPOSE 80'],
  ['FROM a\nEXPOSE 80/TcP', "D:2: ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase", 'FROM a\nEXPOSE 80/udp'],
  ['FROM a as b', "D:1: FromAsCasing: 'as' and 'FROM' keywords' casing do not match", 'from a as b'],
  ['FROM --platform=linux/amd64 a', 'D:1: FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"', 'ARG P=linux/amd64\nFROM --platform=$P a'],
  ['ARG V\nFROM a:${V}', 'D:2: InvalidDefaultArgInFrom: Default value for ARG a:${V} results in empty or invalid base image name', 'ARG V=1\nFROM a:${V}'],
  ['FROM a\nCMD x y', 'D:2: JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals', 'FROM a\nCMD ["x"]\nFROM shelled\nCMD x\nFROM a\nSHELL ["q"]\nENTRYPOINT y'],
  ['FROM a\nENV a b', 'D:2: LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format', 'FROM a\nENV a=b'],
  ['FROM a\nMAINTAINER me', 'D:2: MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label', 'FROM a\nLABEL maintainer=me'],
  ['FROM a\nCMD ["x"]\nCMD ["y"]', 'D:2: MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used', 'FROM a AS b\nCMD ["x"]\nFROM b\nCMD ["y"]'],
  ['FROM a\nRUN x \\\n\n  y', 'D:4: NoEmptyContinuation: Empty continuation line', 'FROM a\nRUN x \\\n # c\n  y'],
  ['FROM --platform=$TARGETPLATFORM a', 'D:1: RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior', 'FROM a'],
  ['FROM a AS context', 'D:1: ReservedStageName: Stage name should not use the same name as reserved stage "context"', 'FROM a AS mine'],
  ['FROM a\nARG API_KEY', 'D:2: SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_KEY")', 'ARG TOKEN\nFROM a\nENV PUBLIC_KEY=1 MONKEY=2'],
  ['FROM a AS Build', "D:1: StageNameCasing: Stage name 'Build' should be lowercase", 'FROM a AS build'],
  ['FROM a:$VERSION-x', "D:1: UndefinedArgInFrom: FROM argument 'VERSION' is not declared", 'ARG VERSION=1\nFROM a:$VERSION-x'],
  ['FROM a\nENV foo=1\nCOPY $fooo /x', "D:3: UndefinedVar: Usage of undefined variable '$fooo' (did you mean $foo?)", 'FROM a\nARG foo TARGETARCH A=1 B=$A\nCOPY --exclude=$none $foo $B $FROM_BASE $TARGETARCH $BUILDKIT_SBOM_SCAN_STAGE /x'],
  ['FROM a\nWORKDIR x', 'D:2: WorkdirRelativePath: Relative workdir "x" can have unexpected results if the base image changes', 'FROM a AS b\nENV Z=/z\nWORKDIR $Z/x\nWORKDIR y\nFROM b\nWORKDIR y'],
  ['# check=experimental=all\n# about\nFROM a AS b', 'D:3: InvalidDefinitionDescription: Comment for FROM should follow the format: `# b <description>`', '# check=experimental=all\n# b is it\nFROM a AS b\n# c and d\nARG d=1 c=2'],
]

test('every rule has a mistake that it finds, and one that it does not', () => {
  for (const [bad, said, good] of rules) {
    assert.ok(find(bad).includes(said), `${said}\n${find(bad).join('\n')}`)
    assert.deepEqual(find(good), [], good)
  }
  assert.match(find('FROM a AS b\nFROM c AS b').join(), /D:2: DuplicateStageName: Duplicate stage name "b", stage names should be unique/)
})

test('rules are left out as the Dockerfile or the build says', () => {
  const two = 'FROM a\nENV a b\nCMD x'
  assert.equal(find(two).length, 2)
  assert.equal(find(`# check=skip=JSONArgsRecommended\n${two}`).length, 1)
  assert.equal(find(`# check=skip=all\n${two}`).length, 0)
  assert.equal(find(two, { given: { BUILDKIT_DOCKERFILE_CHECK: 'skip=LegacyKeyValueFormat' } }).length, 1)
  assert.deepEqual([`# check=error=true\n${two}`, `FROM a\n# check=error=true\n`, two].map((text) => asksForChecks(text, { buildArgs: {} })), [true, false, false])
  assert.ok(asksForChecks(two, { buildArgs: { BUILDKIT_DOCKERFILE_CHECK: 'error=1' } }))
  for (const [options, said] of [['foo', 'invalid check option "foo"'], ['skip=a;bar=b', 'invalid check option "bar"'], ['error=maybe', 'failed to parse check option "error=maybe": strconv.ParseBool: parsing "maybe": invalid syntax']] as const) {
    assert.throws(() => find(`# check=${options}\n${two}`), { message: `failed to parse check options: ${said}` })
    assert.throws(() => find(two, { given: { BUILDKIT_DOCKERFILE_CHECK: options } }), { message: `failed to parse build-arg:BUILDKIT_DOCKERFILE_CHECK: ${said}` })
  }
})

test('variables of an image that is not known are taken for set', () => {
  assert.deepEqual(find('FROM unknown AS x\nWORKDIR $any\nFROM x\nUSER $any'), [])
  assert.equal(find('FROM scratch AS x\nWORKDIR /$any\nFROM x\nUSER $any').length, 2)
})

/** What BuildKit 0.25 (Docker 28.5) says of the same, recorded by `docker build --check`. */
const recorded: readonly (readonly [dockerfile: string, said: readonly string[], more?: Partial<CheckFacts>])[] = [
  ['FROM a\nLABEL a=${Q:-x} b=${R-x} c=${S:+x} d=${W:-$W2}', ['2 UndefinedVar Q', '2 UndefinedVar R', '2 UndefinedVar S', '2 UndefinedVar W2', '2 UndefinedVar W']],
  ['FROM a\nLABEL a=$FOO', ['2 UndefinedVar FOO'], { given: { FOO: 'x' } }],
  ['FROM a AS q\nARG A\nFROM q AS r\nFROM r\nLABEL x=$A\nFROM b\nLABEL x=$A', ['7 UndefinedVar A']],
  ['ARG G=1\nARG H\nFROM a\nLABEL a=$G b=$H\nARG G\nARG H\nLABEL a=$G b=$H', ['4 UndefinedVar G', '4 UndefinedVar H']],
  ['FROM a\nCOPY <<E /x\n$FOO ${BAR:-x}\nE\nCOPY <<"E" /y\n$FOO\nE\nRUN <<E\n$FOO\nE', ['2 UndefinedVar FOO', '2 UndefinedVar BAR']],
  ['FROM triggering\nLABEL y=$TRIGGERED', ['1 WorkdirRelativePath rel', '1 UndefinedVar NOPE']],
  ['FROM a AS b\nONBUILD ENV FOO=1\nFROM b AS c\nLABEL x=$FOO\nFROM c\nLABEL x=$FOO y=$NONE', ['6 UndefinedVar NONE']],
  ['FROM a AS one\nCMD ["a"]\ncmd ["b"]\nCMD ["c"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD x', ['2 MultipleInstructionsDisallowed cmd', '3 ConsistentInstructionCasing cmd', '3 MultipleInstructionsDisallowed CMD', '5 MultipleInstructionsDisallowed HEALTHCHECK']],
  ['from a\ncmd x\nenv k v', ['2 JSONArgsRecommended cmd', '3 LegacyKeyValueFormat env']],
  ['FROM a\nRUN b \\\n\n  c \\\n\n d\nCOPY x \\\n\n <<E /y\nq\nE', ['6 NoEmptyContinuation', '9 NoEmptyContinuation']],
  ['FROM --platform=linux/amd64 a AS for-amd64\nFROM --platform=linux/amd64 a AS mylinux\nFROM --platform=${TARGETPLATFORM:-x} a', ['3 RedundantTargetPlatform']],
  ['ARG TAG=1\nARG BASE=a:$TAG\nFROM $BASE\nFROM a:${NONE:-1}', ['4 UndefinedArgInFrom NONE']],
  ['FROM a\nARG P=TCP\nEXPOSE 80/$P 81/tcp', ['3 ExposeProtoCasing 80/TCP']],
  ['FROM a AS one\nCMD x\nFROM a AS two\nCMD y', ['2 JSONArgsRecommended CMD'], { target: 'one' }],
]

test('what depends on the order of things is found as BuildKit finds it', () => {
  const about = /(?:variable '\$|argument '|workdir "|Multiple |Command '|for |should be used instead of legacy "|protocol ')([^' "]+)/
  for (const [dockerfile, said, more] of recorded) {
    const { findings } = checkDockerfile(dockerfile, { ...facts, ...more })
    const shown = findings.map(({ rule, line, text }) => [line, rule, ...(rule === 'NoEmptyContinuation' || rule === 'RedundantTargetPlatform' ? [] : [about.exec(text)?.[1]])].join(' '))
    assert.deepEqual(shown.toSorted(), said.toSorted(), dockerfile)
  }
})

test('what a build would fail with is found where it is', () => {
  const failures: readonly (readonly [dockerfile: string, line: number, said: string | RegExp])[] = [
    ['FROM a\nSTOPSIGNAL foo', 2, 'invalid signal: foo'],
    ['FROM a\nEXPOSE foo', 2, 'Invalid containerPort: foo'],
    ['FROM a\nENV x=${T:?missing}', 2, 'failed to process "${T:?missing}": T: missing'],
    ['FROM a\nCOPY --chmod=99999 x /', 2, /invalid/],
    ['FROM a\nCOPY http://x/y /z', 2, "source can't be a URL for COPY"],
    ['FROM a\nADD --checksum=sha256:12 x /z', 2, 'checksum requires HTTP(S) or Git sources'],
    ['ARG X\nFROM $X', 2, 'base name ($X) should not be blank'],
    ['ARG P\nFROM --platform=$P a', 2, 'empty platform value from expression $P'],
    ['FROM --platform=foo a', 1, 'failed to parse platform foo: "foo": unknown operating system or architecture: invalid argument'],
    ['FROM a\nARG S=odd\nRUN --mount=type=cache,target=/x,sharing=$S true', 3, 'unsupported sharing value "odd"'],
  ]
  for (const [dockerfile, line, said] of failures) {
    const { failure } = checkDockerfile(`${dockerfile}\nCMD not looked at`, facts)
    assert.equal(failure?.line, line, dockerfile)
    if (typeof said === 'string') assert.equal(failure.error.message, said)
    else assert.match(failure.error.message, said)
  }
})
