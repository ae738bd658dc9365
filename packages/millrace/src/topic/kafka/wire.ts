/** The requests that we send and their answers, by the client library's types. Versions differ only in what they add. */
import type {
  addPartitionsToTxnV5,
  createTopicsV7,
  describeConfigsV4,
  endTxnV4,
  fetchV17,
  findCoordinatorV6,
  initProducerIdV5,
  listOffsetsV9,
  metadataV12,
  offsetCommitV9,
  offsetFetchV9,
  produceV11,
} from '@platformatic/kafka';

export type MetadataResponse = metadataV12.MetadataResponse;
export type FetchRequest = fetchV17.FetchRequest;
export type FetchResponse = fetchV17.FetchResponse;
export type FetchedPartition = fetchV17.FetchResponsePartition;
export type ProduceRequest = produceV11.ProduceRequest;
export type ProduceResponse = produceV11.ProduceResponse;
export type InitProducerIdRequest = initProducerIdV5.InitProducerIdRequest;
export type InitProducerIdResponse = initProducerIdV5.InitProducerIdResponse;
export type AddPartitionsToTxnRequest = addPartitionsToTxnV5.AddPartitionsToTxnRequest;
export type AddPartitionsToTxnResponse = addPartitionsToTxnV5.AddPartitionsToTxnResponse;
export type EndTxnRequest = endTxnV4.EndTxnRequest;
export type EndTxnResponse = endTxnV4.EndTxnResponse;
export type ListOffsetsRequest = listOffsetsV9.ListOffsetsRequest;
export type ListOffsetsResponse = listOffsetsV9.ListOffsetsResponse;
export type FindCoordinatorRequest = findCoordinatorV6.FindCoordinatorRequest;
export type FindCoordinatorResponse = findCoordinatorV6.FindCoordinatorResponse;
export type OffsetCommitRequest = offsetCommitV9.OffsetCommitRequest;
export type OffsetCommitResponse = offsetCommitV9.OffsetCommitResponse;
export type OffsetFetchRequest = offsetFetchV9.OffsetFetchRequest;
export type OffsetFetchResponse = offsetFetchV9.OffsetFetchResponse;
export type CreateTopicsRequest = createTopicsV7.CreateTopicsRequest;
export type CreateTopicsResponse = createTopicsV7.CreateTopicsResponse;
export type DescribeConfigsRequest = describeConfigsV4.DescribeConfigsRequest;
export type DescribeConfigsResponse = describeConfigsV4.DescribeConfigsResponse;
