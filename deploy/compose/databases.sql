-- A login and a database for each server, at the first start of PostgreSQL. The passwords are in postgres.env.
\getenv password PREFECT_PASSWORD
CREATE ROLE prefect LOGIN PASSWORD :'password';
CREATE DATABASE prefect OWNER prefect;
\getenv password MLFLOW_PASSWORD
CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow;
\getenv password GIT_PASSWORD
CREATE ROLE git LOGIN PASSWORD :'password';
CREATE DATABASE git OWNER git;
