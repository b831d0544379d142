// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is built to the same standard; there is no second-class code.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .treatWarning("StrictLanguageFeatures", as: .error),  // a misspelt feature is an error
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
]

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources,
        swiftSettings: house)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, resources: resources, swiftSettings: house)
}

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// A module imports only from floors below its own: docs/ARCHITECTURE.md.
let package = Package(
    name: "backhaul",
    products: [
        .executable(name: "backhaul", targets: ["Backhaul"]),
        .library(name: "BackhaulEnqueue", targets: ["Enqueue"]),
        .library(name: "BackhaulWorker", targets: ["Worker"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // Floor 0: C, nothing else
        .systemLibrary(name: "CHiredis"),
        .systemLibrary(name: "CLibpq"),
        .systemLibrary(name: "CCurl"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CLinux"),

        // Floor 1: small tools
        library("Mailbox", ["CLinux"]),
        library("Zlib", ["CZlib"]),

        // Floor 2: the vocabulary, and one safe wrapper per C library
        library("JobModel", ["Zlib", "Mailbox", log]),
        library("ProcessControl", ["CLinux", "Mailbox"]),
        library("Redis", ["CHiredis", "Mailbox", log, nioCore, nioPosix]),
        library("Postgres", ["CLibpq", "Mailbox", log]),
        library("HTTP", ["CCurl", "Mailbox", log]),
        library("Telemetry", ["Mailbox"]),

        // Floor 3: what is kept
        library(
            "Broker", ["JobModel", "Redis", "Mailbox", log], resources: [.embedInCode("Scripts")]),
        library("Store", ["JobModel", "Postgres", log], resources: [.embedInCode("Migrations")]),

        // Floor 4: the client
        library("Enqueue", ["JobModel", "Broker", "Store", "Postgres", log]),

        // Floor 5: what runs
        library(
            "Jobs", ["JobModel", "Enqueue", "Store", "Postgres", "HTTP", crypto, log],
            exclude: [
                "Payments/README.md", "Provisioning/README.md", "SLA/README.md",
                "Webhooks/README.md",
            ]),
        library(
            "Worker", ["JobModel", "Broker", "Mailbox", "Telemetry", "ProcessControl", log]),
        library(
            "Scheduler",
            ["JobModel", "Broker", "Store", "Postgres", "Mailbox", yaml, log]),
        library(
            "Relay",
            ["JobModel", "Broker", "Store", "Postgres", "Telemetry", "Mailbox", log]),
        library(
            "Health", ["JobModel", "Telemetry", "Mailbox", log, nioCore, nioPosix, nioHTTP1]),
        library("Supervisor", ["ProcessControl", "JobModel", "Mailbox", log]),

        // Floor 6: the composition root
        .executableTarget(
            name: "Backhaul",
            dependencies: [
                "Mailbox", "JobModel", "Redis", "Postgres", "HTTP", "Broker", "Store", "Enqueue",
                "Jobs", "Worker", "Scheduler", "Relay", "Telemetry", "Health", "Supervisor",
                "ProcessControl", arguments, yaml, log,
            ],
            swiftSettings: house),

        // Beside the house: what tests share
        library(
            "TestSupport",
            [
                "JobModel", "Broker", "Store", "Redis", "Postgres", "Mailbox", log, nioCore,
                nioPosix,
            ]),

        // Sees what is public and nothing else: what it does, any service can do.
        .executableTarget(
            name: "CelerySuiteWorker",
            dependencies: ["JobModel", "Worker", log, nioCore, nioPosix],
            path: "Tests/CelerySuiteWorker", packageAccess: false, swiftSettings: house),

        // Beside the house: what benchmarks can only measure from within a Swift program.
        .executableTarget(
            name: "BenchmarkDriver",
            dependencies: [
                "JobModel", "Redis", "Postgres", "HTTP", "Broker", "Store", "Enqueue", "Jobs",
                "Worker", "Mailbox", arguments, log,
            ],
            path: "Benchmarks/Driver", swiftSettings: house),

        tests("ZlibTests", ["Zlib", "TestSupport"]),
        tests("MailboxTests", ["Mailbox"]),
        tests("ProcessControlTests", ["ProcessControl", "Mailbox", "TestSupport"]),
        tests("JobModelTests", ["JobModel", "TestSupport"], resources: [.copy("Golden")]),
        tests("RedisTests", ["Redis", "TestSupport", nioCore, nioEmbedded]),
        tests("PostgresTests", ["Postgres", "TestSupport"]),
        tests("HTTPTests", ["HTTP", "TestSupport"]),
        tests("TelemetryTests", ["Telemetry", "Mailbox", "TestSupport"]),
        tests("BrokerTests", ["Broker", "JobModel", "Redis", "Mailbox", "TestSupport"]),
        tests("StoreTests", ["Store", "Postgres", "JobModel", "Mailbox", "TestSupport", log]),
        tests(
            "EnqueueTests",
            ["Enqueue", "Broker", "Store", "Postgres", "JobModel", "Redis", "TestSupport"]),
        tests("JobsTests", ["Jobs", "Store", "Postgres", "HTTP", "JobModel", "TestSupport"]),
        tests("WorkerTests", ["Worker", "Broker", "JobModel", "Redis", "TestSupport", log]),
        tests(
            "SchedulerTests",
            [
                "Scheduler", "Broker", "Store", "Postgres", "JobModel", "Redis", "Mailbox",
                "TestSupport", log,
            ]),
        tests(
            "RelayTests",
            [
                "Relay", "Broker", "Store", "Postgres", "JobModel", "Redis", "Telemetry", "Mailbox",
                "TestSupport", log,
            ]),
        tests(
            "HealthTests",
            [
                "Health", "Telemetry", "JobModel", "Mailbox", "TestSupport", log, nioCore,
            ]),
        tests(
            "SupervisorTests",
            ["Supervisor", "ProcessControl", "JobModel", "Mailbox", "TestSupport", log]),
        tests(
            "BackhaulTests",
            [
                "Backhaul", "JobModel", "Redis", "Postgres", "HTTP", "Broker", "Store", "Worker",
                "Scheduler", "Telemetry", "Health", "Supervisor", "ProcessControl", "Mailbox",
                "TestSupport",
                arguments, log,
            ]),
        tests(
            "IntegrationTests",
            ["TestSupport", "Broker", "Enqueue", "Worker", "JobModel", "Redis", "Postgres"],
            resources: [.copy("Python")]),
        tests(
            "ProcessTests",
            ["TestSupport", "Broker", "Enqueue", "JobModel", "Redis", "Postgres", "Mailbox"]),
        tests("TidyTests"),
    ]
)
