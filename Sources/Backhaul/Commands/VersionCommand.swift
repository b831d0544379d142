import ArgumentParser

/// `backhaul version`: what is running.
struct VersionCommand: ParsableCommand {
    /// The release, by semver.org.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the version.",
        discussion: """
            Examples:
              backhaul version
              backhaul version -o json
            """)

    @OptionGroup var format: OutputOptions

    private struct Report: Encodable {
        let version: String
        let celeryProtocol: Int
    }

    func run() throws {
        switch format.output {
        case .text: print("backhaul \(Self.version), Celery message protocol 2")
        case .json:
            try OutputOptions.printJSON(Report(version: Self.version, celeryProtocol: 2))
        }
    }
}
