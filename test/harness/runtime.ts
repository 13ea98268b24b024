/** What the containers of tests are made by, unless a test says otherwise: ENGINE_TEST_RUNTIME, or the built-in runtime. */
export const testRuntime = process.env['ENGINE_TEST_RUNTIME'] || 'engine'
