/** What the containers of tests are made by, unless a test says otherwise: ENGINE_TEST_RUNTIME, or the built-in runtime. */
export const testRuntime = process.env['ENGINE_TEST_RUNTIME'] || 'engine'

/** Why a test is left out that is about the built-in runtime itself; false where that is what containers are made by. */
export function onlyBuiltIn(reason: string): string | false {
  return testRuntime === 'engine' ? false : `not on ${testRuntime}: ${reason}`
}
