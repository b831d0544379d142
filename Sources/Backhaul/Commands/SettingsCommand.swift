import ArgumentParser

/// `backhaul settings`: what is in force, and where each value came from.
struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Show every setting in force and where it came from.",
        discussion: """
            Passwords and keys are not shown. When the settings cannot be used, it
            lists every problem and exits with 78: a check before a deployment.

            Examples:
              backhaul settings
              backhaul settings --config config/production.yaml --concurrency 128
              backhaul settings -o json
              backhaul settings --template yaml > config/mine.yaml
            """)

    @OptionGroup var shared: SharedOptions
    @OptionGroup var worker: WorkerFlags
    @OptionGroup var scheduler: SchedulerFlags
    @OptionGroup var format: OutputOptions

    @Option(help: "Print every setting with its default and meaning instead: yaml or markdown.")
    var template: SettingsTemplate?

    private struct Line: Encodable {
        let key: String
        let value: String?
        let source: String
    }

    func run() throws {
        if let template {
            print(template.text, terminator: "")
            return
        }
        let loaded = try shared.load(adding: worker.flagValues + scheduler.flagValues)
        let lines = SettingKey.all.map { key in
            Line(
                key: key.name, value: key.shown(loaded.settings),
                source: loaded.source(of: key.name).description)
        }
        switch format.output {
        case .text:
            print(TextTable(rows: lines.map { [$0.key, $0.value ?? "not set", $0.source] }).text)
        case .json: try OutputOptions.printJSON(lines)
        }
    }
}

extension SettingsTemplate: ExpressibleByArgument {}
