from tests.dashboard.test_page import browser as browser
