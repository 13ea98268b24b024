import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDockerfile, showFinding, type CheckFacts } from './check.ts'

const facts: CheckFacts = { args: new Map([['TARGETPLATFORM', 'linux/amd64'], ['TARGETARCH', 'amd64']]), environmentOf: (image) => (image === 'unknown' ? undefined : ['PATH=/bin', 'FROM_BASE=1']), ignore: ['ignored', '*.log'] }

const find = (dockerfile: string, more: Partial<CheckFacts> = {}): string[] => checkDockerfile(dockerfile, { ...facts, ...more }).findings.map((finding) => showFinding(finding, 'D'))

/** A Dockerfile with the mistake, what is said of it, and one without. */
const rules: readonly (readonly [bad: string, said: string, good: string])[] = [
  ['FROM a\nrun x\nRUN y', "D:2: ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase)", 'from a\nrun x'],
  ['FROM a\nCOPY ./ignored x.log /', 'D:2: CopyIgnoredFile: Attempting to COPY file "./ignored" that is excluded by .dockerignore', 'FROM a\nCOPY other *.log /'],
  ['FROM a\nEXPOSE 127.0.0.1:80:80', "D:2: ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'", 'FROM a\nEXPOSE 80'],
  ['FROM a\nEXPOSE 80/TcP', "D:2: ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase", 'FROM a\nEXPOSE 80/udp'],
  ['FROM a as b', "D:1: FromAsCasing: 'as' and 'FROM' keywords' casing do not match", 'from a as b'],
  ['FROM --platform=linux/amd64 a', 'D:1: FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"', 'ARG P=linux/amd64\nFROM --platform=$P a'],
  ['ARG V\nFROM a:${V}', 'D:2: InvalidDefaultArgInFrom: Default value for ARG a:${V} results in empty or invalid base image name', 'ARG V=1\nFROM a:${V}'],
  ['FROM a\nCMD x y', 'D:2: JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals', 'FROM a\nCMD ["x"]'],
  ['FROM a\nENV a b', 'D:2: LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format', 'FROM a\nENV a=b'],
  ['FROM a\nMAINTAINER me', 'D:2: MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label', 'FROM a\nLABEL maintainer=me'],
  ['FROM a\nCMD ["x"]\nCMD ["y"]', 'D:2: MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used', 'FROM a AS b\nCMD ["x"]\nFROM b\nCMD ["y"]'],
  ['FROM a\nRUN x \\\n\n  y', 'D:3: NoEmptyContinuation: Empty continuation line', 'FROM a\nRUN x \\\n # c\n  y'],
  ['FROM --platform=$TARGETPLATFORM a', 'D:1: RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior', 'FROM a'],
  ['FROM a AS context', 'D:1: ReservedStageName: Stage name should not use the same name as reserved stage "context"', 'FROM a AS mine'],
  ['FROM a\nARG API_KEY', 'D:2: SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_KEY")', 'FROM a\nENV PUBLIC_KEY=1 MONKEY=2'],
  ['FROM a AS Build', "D:1: StageNameCasing: Stage name 'Build' should be lowercase", 'FROM a AS build'],
  ['FROM a:$VERSION-x', "D:1: UndefinedArgInFrom: FROM argument 'VERSION' is not declared", 'ARG VERSION=1\nFROM a:$VERSION-x'],
  ['FROM a\nENV foo=1\nCOPY $fooo /x', "D:3: UndefinedVar: Usage of undefined variable '$fooo' (did you mean foo?)", 'FROM a\nARG foo\nCOPY $foo ${none:-x} $FROM_BASE $TARGETARCH /x'],
  ['FROM a\nWORKDIR x', 'D:2: WorkdirRelativePath: Relative workdir "x" can have unexpected results if the base image changes', 'FROM a\nWORKDIR /x\nWORKDIR y'],
  ['# check=experimental=all\n# about\nFROM a AS b', 'D:2: InvalidDefinitionDescription: Comment for build stage should follow the format: `# b <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.', '# check=experimental=all\n\n# b is it\nFROM a AS b'],
]

test('every rule has a mistake that it finds, and one that it does not', () => {
  for (const [bad, said, good] of rules) {
    assert.equal(find(bad)[0], said)
    assert.deepEqual(find(good), [], good)
  }
  assert.match(find('FROM a AS b\nFROM c AS b').join(), /D:2: DuplicateStageName: Duplicate stage name "b", stage names should be unique/)
})

test('rules are left out as the Dockerfile or the build says', () => {
  const two = 'FROM a\nENV a b\nCMD x'
  assert.equal(find(two).length, 2)
  assert.equal(find(`# check=skip=JSONArgsRecommended\n${two}`).length, 1)
  assert.equal(find(`# check=skip=all\n${two}`).length, 0)
  assert.equal(find(two, { args: new Map([['BUILDKIT_DOCKERFILE_CHECK', 'skip=legacykeyvalueformat']]) }).length, 1)
  assert.ok(checkDockerfile(`# check=error=true\n${two}`, facts).failing)
})

test('variables of an image that is not known are taken for set', () => {
  assert.deepEqual(find('FROM unknown AS x\nWORKDIR $any\nFROM x\nUSER $any'), [])
  assert.equal(find('FROM scratch AS x\nWORKDIR $any\nFROM x\nUSER $any').length, 2)
})
