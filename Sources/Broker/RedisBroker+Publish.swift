package import JobModel

extension RedisBroker {
    package func publish(_ publication: Publication) async throws(BrokerError) {
        try await enqueue(publication.messages)
    }
}
