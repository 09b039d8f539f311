#include "tests/unit/test.h"
TEST(none) { }
TEST_MAIN()
