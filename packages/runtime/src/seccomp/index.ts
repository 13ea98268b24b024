export { compile, compileToFile, filterFlags } from './compile.ts'
export { defaultProfile, parseProfile, type Profile, type ProfileCondition, type ProfileContext, type ProfileRule } from './profile.ts'
