/* A shared library, but no plugin. */
int swl_fixture_nothing(void);
int swl_fixture_nothing(void) { return 0; }
