import JobModel

/// Tasks that return signatures, and one that reads them.
enum Nesting {
    private struct Rebuilt: Decodable {
        let sigDict: JSONValue

        private enum CodingKeys: String, CodingKey {
            case sigDict = "sig_dict"
        }
    }

    private static let add = Suite.signature("add")

    private static let nested: [(name: String, signature: Signature)] = [
        ("chain_chain", .chain([.chain([add])])),
        ("chain_group", .chain([.group([add])])),
        ("chain_chord", .chain([.chord([add], body: add)])),
        ("group_chain", .group([.chain([add])])),
        ("group_group", .group([.group([add])])),
        ("group_chord", .group([.chord([add], body: add)])),
        ("chord_chain", .chord([.chain([add])], body: add)),
        ("chord_group", .chord([.group([add])], body: add)),
        ("chord_chord", .chord([.chord([add], body: add)], body: add)),
    ]

    static var jobs: [RegisteredJob] {
        nested.map { name, signature in
            Suite.task("return_nested_signature_\(name)") { (_: NoArguments, _) in
                .finished(result: signature.json)
            }
        } + [
            Suite.task("rebuild_signature") { (given: Rebuilt, _) in
                _ = try Signature(json: given.sigDict)
                return .done
            }
        ]
    }
}
