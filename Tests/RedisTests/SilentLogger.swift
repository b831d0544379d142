import Logging

/// For connections whose log lines a test does not read.
let silentLogger = Logger(label: "test.redis") { _ in SwiftLogNoOpLogHandler() }
