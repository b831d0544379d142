import ArgumentParser
import Foundation
import Postgres
import Store

/// `backhaul inbox show`.
struct InboxShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one message: when it came, the job it caused, and what conflicts with it.",
        discussion: """
            The payload itself is not kept, only its digest.

            Examples:
              backhaul inbox show stripe evt_1NG8Du2eZvKYlo2CUI79vXWy
              backhaul inbox show stripe evt_1NG8Du2eZvKYlo2CUI79vXWy -o json
            """)

    @Argument(help: "Whose id it is.")
    var source: String

    @Argument(help: "The sender's id of the message.")
    var message: String

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let found = try await shared.withInbox { records throws(PostgresError) in
            try await records.find(message, from: source)
        }
        guard let found else {
            throw CommandFailure(
                "no message \(message) of \(source): it never came, or its time is over",
                advice: "`backhaul inbox list --source \(source)` shows those that came")
        }
        let summary = InboxSummary(found)
        switch format.output {
        case .json: try OutputOptions.printJSON(summary)
        case .text: print(summary.text.withoutControls)
        }
    }
}
